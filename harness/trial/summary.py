"""What an epoch of a unit gave, in the numbers that a scheduler and a person look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.rules import Finding
from harness.trial.score.evaluate import metric

REPORTED = {
    "train_aupr": "train/macro/aupr",
    "val_seen_aupr": "val_seen/macro/aupr",
    "val_unseen_aupr": "val_unseen/macro/aupr",
    "val_unseen_pooled_aupr": "val_unseen/pooled/aupr",
    "val_unseen_nll": "val_unseen/pooled/nll",
}
"""Name of a headline metric -> split/cell line/metric."""


@dataclass(frozen=True)
class EpochSummary:
    """What an epoch gave: `objective` (larger is better unless it is a negative log-likelihood), headline metrics,
    and the warnings that hold so far."""

    epoch: int
    objective: float
    metrics: dict[str, float]
    findings: list[Finding]
    loss: float
    """Total training loss, mean over the epoch."""

    @classmethod
    def of(
        cls, epoch: int, cells: Sequence[dict[str, Any]], objective: str, findings: list[Finding], loss: float
    ) -> "EpochSummary":
        """From the epoch's rows of `cells`; what they do not hold is NaN."""
        metrics = {name: metric(cells, path) for name, path in REPORTED.items()}
        return cls(epoch, metric(cells, objective), metrics, findings, loss)
