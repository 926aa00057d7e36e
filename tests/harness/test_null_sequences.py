"""What is left of a prediction without its sequences goes into the rows that are reported, and nowhere else."""

from typing import Any

import numpy as np
import pytest

from harness.trial.score.null_sequences import add_nulls
from harness.trial.score.predict import SplitScores

NOBODY: dict[int, np.ndarray] = {}


def test_figures_without_sequences_stand_in_corrected_rows() -> None:
    label, cell = np.array([0, 1, 1, 0, 1]), np.array([0, 0, 0, 1, 1])
    logit = np.array([2.0, 2.0, 2.0, 0.5, 0.5], dtype=np.float32)
    of_cells = ("z_e", "r_cell", "r_raw", "r_student", "r_teacher", "posterior", "places")
    columns: Any = {
        "u": logit,
        "z_i": logit[:, None],
        "r": logit,
        "t": logit,
        "logits": logit[None],
        "gate": None,
    }
    columns |= dict.fromkeys(of_cells, NOBODY)
    scores = SplitScores(split="val_unseen", pairs=np.arange(5), label=label, cell=cell, **columns)
    told = {"split": "val_unseen", "score": "corrected", "prevalence_mode": "as_found", "protocol": "exact"}
    other = ({"split": "test"}, {"score": "u_only"}, {"prevalence_mode": "1:20"}, {"protocol": "documented"})
    rows: list[dict[str, Any]] = [{**told, "cell_line": line} for line in ("A", "B", "macro", "pooled")]
    rows += [{**told, **change, "cell_line": "A"} for change in other]
    add_nulls(rows, scores, ["A", "B"])
    assert [row["auc_null"] for row in rows[:3]] == [0.5, 0.5, 0.5]
    assert rows[3]["auc_null"] == pytest.approx(7 / 12), "the cell lines alone"
    assert rows[0]["aupr_null"] == pytest.approx(2 / 3)
    assert all("auc_null" not in row for row in rows[4:])
