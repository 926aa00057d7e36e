"""Rule rank_invariant: what an objective can see of an R_E per cell line, by how many unseen lines its pairs are of."""

from typing import Any

import pandas as pd
import pytest

from analysis.rules import Finding, UnitRecords, not_evaluated
from tests.analysis.rule_units import raised, unit


def of(objective: str, *lines: str) -> UnitRecords:
    made = unit(trial={"objective": f"val_unseen/{objective}", "rank_invariant": True})
    cells = pd.DataFrame(made.cells)
    own = cells[cells["cell_line"] == "K562"]
    more = [own.assign(cell_line=line) for line in lines]
    told: dict[str, Any] = {**vars(made), "cells": pd.concat([cells, *more], ignore_index=True)}
    return UnitRecords(**told)


def found(objective: str, *lines: str) -> list[Finding]:
    return raised(of(objective, *lines), "rank_invariant")


@pytest.mark.parametrize("objective", ["macro/aupr", "pooled/aupr", "pooled/auc"])
def test_one_unseen_line_is_ranked_by_u_alone(objective: str) -> None:
    (finding,) = found(objective)
    assert finding.severity == "hint"
    assert "over two unseen lines or more" in finding.advice


def test_two_lines_can_be_moved_against_each_other() -> None:
    assert found("macro/aupr", "HeLa") != []
    assert found("pooled/aupr", "HeLa") == []
    assert found("pooled/nll") == []
    assert "rank_invariant" in not_evaluated(of("pooled/aupr", "HeLa"))
