"""`predict.mode: branch_select` really chooses, says that it leaks, and decides nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.metrics import binary_metrics
from analysis.ranking import rank
from analysis.store import Run
from tests.harness.conftest import MakeUnit
from tests.harness.test_unit_run import run, table


def test_branch_selection_by_test_aupr_stands_beside_the_rest(make_unit: MakeUnit, tmp_path: Path) -> None:
    changes = {"environment.scope": "sample", "optimiser.lr": 0.03}
    for mode in ("unified", "branch_select"):
        run(make_unit({**changes, "predict.mode": mode}, seed=2, run=mode))
    cells = table(tmp_path, "cells", "branch_select")
    chosen = cells[cells.score == "branch_select"]
    assert set(chosen.split) == {"test"}
    plain = table(tmp_path, "cells", "unified")
    honest = cells[cells.score != "branch_select"].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        honest.drop(columns="config"), plain.drop(columns="config"), check_exact=True
    )

    final = cells[(cells.selection == "best_on_validation") & (cells.split == "test")]
    found = final[final.prevalence_mode == "as_found"].pivot_table(
        index="cell_line", columns="score", values="aupr"
    )
    lines = found.drop(["macro", "pooled"])
    assert (lines.branch_select == lines[["u_only", "corrected"]].max(axis=1)).all()
    assert found.branch_select["macro"] == pytest.approx(lines.branch_select.mean())
    predictions = table(tmp_path, "predictions", "branch_select")
    assert predictions.loc[predictions.split != "test", "branch"].isna().all()
    tested = predictions[predictions.split == "test"]
    by_line = tested.groupby("cell_line").branch.first()
    wanted = (lines.u_only > lines.corrected).map({True: "u_only", False: "corrected"})
    assert by_line.to_dict() == wanted.to_dict()
    logit = np.where(tested.branch == "u_only", tested.u, tested.logit)
    assert found.branch_select["pooled"] == pytest.approx(binary_metrics(logit, tested.label)["aupr"])

    (leak,) = [r for r in table(tmp_path, "warnings", "branch_select").itertuples() if r.rule == "test_leak"]
    assert leak.value == 1
    assert "the branch of every cell line" in str(leak.evidence)
    ranked = rank(Run.open(tmp_path / "branch_select")).configurations.iloc[0]
    assert ranked.test_aupr == pytest.approx(found.corrected["macro"]), "nothing is ranked by what leaks"
    assert ranked.leaked_test_aupr == pytest.approx(found.branch_select["macro"])
    assert np.isnan(rank(Run.open(tmp_path / "unified")).configurations.iloc[0].leaked_test_aupr)
