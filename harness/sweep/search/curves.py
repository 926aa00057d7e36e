"""The learning curves of a sweep's trials, by which configurations are compared on the folds that they share."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.design.trial import Trial

History = Mapping[Trial, Sequence[tuple[int, float]]]
"""Trial -> (epoch, objective: mean over its seeds of the best so far), oldest first."""


class Curves:
    """Objective after every epoch of every trial; a configuration's value is the mean over folds, each the mean over its
    seeds. An epoch that is reported twice, as by a worker that was started again, counts once; NaN is left out.

    `history`: what earlier starts of the run left.
    """

    def __init__(self, history: History) -> None:
        self._curves: dict[str, dict[str, dict[int, float]]] = {}
        for trial, values in history.items():
            for epoch, value in values:
                self.add(trial, epoch, value)

    def add(self, trial: Trial, epoch: int, value: float) -> bool:
        """Take what a trial reports; whether that is new."""
        curve = self._curves.setdefault(trial.config_id, {}).setdefault(trial.fold, {})
        if epoch in curve or not math.isfinite(value):
            return False
        curve[epoch] = value
        return True

    def folds(self, config: str, epoch: float = 0.0) -> list[str]:
        """Folds on which the configuration has come as far as `epoch`, in the order in which they began."""
        return [
            fold for fold, curve in self._curves.get(config, {}).items() if max(curve, default=0) >= epoch
        ]

    def last(self, config: str, folds: Collection[str]) -> int:
        """The last epoch that the configuration has come to on all of `folds`; 0 for none."""
        curves = self._curves.get(config, {})
        return min((max(curves.get(fold, {}), default=0) for fold in folds), default=0)

    def mean(self, config: str, folds: Collection[str], epoch: float) -> float:
        """Mean over `folds` of the value at the first epoch from `epoch` on, to which all of them have come."""
        curves = [self._curves[config][fold] for fold in folds]
        return _mean([curve[min(e for e in curve if e >= epoch)] for curve in curves])

    def running_mean(self, config: str, folds: Collection[str], epoch: int) -> float:
        """Mean over `folds` of the mean over the epochs up to `epoch`."""
        curves = [self._curves[config][fold] for fold in folds]
        upto = [max(epoch, min(curve)) for curve in curves]
        return _mean(
            [
                _mean([v for e, v in curve.items() if e <= end])
                for curve, end in zip(curves, upto, strict=True)
            ]
        )

    def configurations(self) -> Iterator[str]:
        """Every configuration that has reported something, in order."""
        yield from self._curves


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
