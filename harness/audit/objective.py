"""What epochs are selected by, computed from the scores themselves and compared with what the store has of each epoch."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from analysis.ledger.figures import Counts
from analysis.ledger.selected import objectives
from analysis.schema import MACRO, POOLED
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.predict import SplitScores

METRICS = ("aupr", "nll")
SAME = 1e-9
"""Difference of a figure that is rounding, relative to 1 + its size."""


class Objectives:
    """Values of every objective of the unseen validation lines by epoch, as the scores of an epoch give them."""

    def __init__(self) -> None:
        self.values: dict[str, dict[int, float]] = {}

    def of_epoch(self, scores: Mapping[str, SplitScores], epoch: int) -> None:
        """The scores of an epoch (1-based)."""
        part = scores[VALIDATION]
        logit, label = part.logit.astype(np.float64), part.label.astype(np.int8)
        groups = [part.cell == code for code in np.unique(part.cell)]
        whole = _figures(logit, label)
        lines = [_figures(logit[rows], label[rows]) for rows in groups]
        for name in METRICS:
            defined = [line[name] for line in lines if np.isfinite(line[name])]
            macro = float(np.mean(defined)) if defined else float("nan")
            for level, value in ((MACRO, macro), (POOLED, whole[name])):
                self.values.setdefault(f"{VALIDATION}/{level}/{name}", {})[epoch] = value

    def faults(self, cells: Iterable[Mapping[str, Any]]) -> list[str]:
        """Where rows of `cells` have an objective otherwise; epochs that were not seen here are passed over."""
        rows, said = list(cells), []
        for objective, values in self.values.items():
            stored = objectives(rows, objective)
            for epoch, value in sorted(values.items()):
                there = stored.get(epoch, float("nan"))
                if np.isnan(there) != np.isnan(value) or abs(there - value) > SAME * (1 + abs(value)):
                    said.append(
                        f"epoch {epoch}: {objective} is {there:.6g} in cells, and the scores give {value:.6g}"
                    )
                    break
        return said


def _figures(logit: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """AUPR and negative log-likelihood; NaN where they are undefined."""
    made = Counts.of(logit, label).figures(None, float("nan"), float("nan")) if len(label) else {}
    return {name: made.get(name, float("nan")) for name in METRICS}
