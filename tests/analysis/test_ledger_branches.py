"""branch_select is made again: each test cell line's branch, and every row that is made of the chosen logits."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from analysis.ledger.branches import branches_are_the_better
from analysis.ledger.figures import counted
from analysis.ledger.unit import UnitLedger
from analysis.metrics import METRICS, binary_metrics
from analysis.schema import PREVALENCES
from tests.analysis.written_ledger import SETTINGS, written

CHOSEN = {"D": "u_only", "E": "corrected"}


def selected() -> UnitLedger:
    """Two test cell lines: in D U_I orders the pairs, in E the corrected score does; rows of `cells` by the metrics."""
    unit = written()
    rows = unit.predictions
    other = rows[rows["split"] == "test"].assign(cell_line="E", pair=lambda frame: frame["pair"] + 100)
    rows = type(rows)({name: [*rows[name], *other[name]] for name in rows.columns})
    sign = 2.0 * rows["label"] - 1
    tested, line = rows["split"] == "test", rows["cell_line"]
    noise = np.random.default_rng(1).normal(0, 1, (2, len(rows)))
    orders = {"u": "D", "logit": "E"}
    for number, (name, which) in enumerate(orders.items()):
        ordered = sign * (line == which) + noise[number] / np.where(line == which, 9, 1)
        rows[name] = rows[name].where(~tested, ordered)
    rows["branch"] = line.map(CHOSEN).where(tested, None).astype(object)
    unit = replace(unit, predictions=rows, settings={**SETTINGS, "predict": {"mode": "branch_select"}})
    return replace(unit, cells=[row for mode in PREVALENCES for row in cells(unit, mode)])


def cells(unit: UnitLedger, mode: str) -> list[dict[str, Any]]:
    counts, made = counted(unit), []
    tested = unit.predictions[unit.predictions["split"] == "test"]

    def row(score: str, line: str, values: Any) -> dict[str, Any]:
        shared = {
            "split": "test",
            "cell_line": line,
            "score": score,
            "prevalence_mode": mode,
            "protocol": "exact",
        }
        return {**dict.fromkeys(METRICS), **values, **shared}

    def of(score: str, frame: Any) -> dict[str, Any]:
        logit = frame[{"u_only": "u", "corrected": "logit"}[score]].to_numpy()
        temperature = counts[score, "val_unseen", "pooled"].temperature()
        return dict(
            binary_metrics(
                logit,
                frame["label"].to_numpy(),
                prevalence=PREVALENCES[mode],
                threshold_logit=0.2,
                temperature=temperature,
            )
        )

    made += [row(score, "pooled", of(score, tested)) for score in ("u_only", "corrected")]
    lines = {line: of(score, tested[tested["cell_line"] == line]) for line, score in CHOSEN.items()}
    made += [row("branch_select", line, values) for line, values in lines.items()]
    sums = {name: sum(values[name] for values in lines.values()) for name in ("n", "positives")}
    means = {
        name: np.mean([values[name] for values in lines.values()]) for name in lines["D"] if name in METRICS
    }
    made.append(row("branch_select", "macro", {**means, **sums}))
    logit = np.where(tested["branch"] == "u_only", tested["u"], tested["logit"])
    whole = binary_metrics(logit, tested["label"].to_numpy(), prevalence=PREVALENCES[mode])
    return [*made, row("branch_select", "pooled", whole)]


def said(unit: UnitLedger) -> list[str]:
    return list(branches_are_the_better(unit))


def test_rows_of_the_better_branches_pass() -> None:
    assert said(selected()) == []


def test_the_worse_branch_is_seen() -> None:
    unit = selected()
    unit.predictions.loc[unit.predictions["cell_line"] == "D", "branch"] = "corrected"
    (sentence,) = said(unit)
    assert sentence == "split test, cell line D: the branch is corrected, and u_only has the better AUPR"


@pytest.mark.parametrize(("line", "name"), [("D", "aupr"), ("E", "f1"), ("macro", "auc"), ("pooled", "nll")])
@pytest.mark.parametrize("mode", PREVALENCES)
def test_another_figure_of_the_chosen_is_seen(line: str, name: str, mode: str) -> None:
    unit = selected()
    where = ("branch_select", line, mode)
    (row,) = (row for row in unit.cells if (row["score"], row["cell_line"], row["prevalence_mode"]) == where)
    cast(dict[str, Any], row)[name] += 1e-4
    (sentence,) = said(unit)
    assert sentence.startswith(f"cells, score branch_select, prevalence {mode}, {line}: {name} is ")


def test_a_branch_where_none_is_chosen_is_seen() -> None:
    unit = written()
    assert said(unit) == []
    unit.predictions.loc[70, "branch"] = "u_only"
    assert "predict.mode is another one" in said(unit)[0]
    unit = selected()
    unit.predictions.loc[unit.predictions["pair"] == 70, "branch"] = None
    assert "pair 70, cell line D: its branch is None" in said(unit)[0]
    assert "rows of score branch_select" in said(replace(written(), cells=selected().cells))[0]
