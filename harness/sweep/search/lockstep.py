"""What every scheduler shares: a configuration is judged with all of its seeds and folds, and ends itself properly."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from harness.design.trial import Trial
from harness.sweep.search.curves import Curves

Prune = Callable[[str, str], None]
"""prune(configuration, sentence): end it on all of its folds."""
Folds = frozenset[str]


class Lockstep(FIFOScheduler, ABC):
    """Judges configurations as their trials report; a rule says what is too bad to go on.

    The seeds of a trial advance together and count by their mean. A configuration is judged on the folds that have come
    as far as the epoch at hand, against what others had reached on the very same folds; a verdict binds all folds, those
    that run and those that wait. Nothing is stopped by Tune: `prune` tells the workers, so that what was trained is
    evaluated, and their next result is their last.

    `sign`: 1 where a larger objective is better, else -1; `pruned`: configurations that earlier starts ended.
    """

    def __init__(self, curves: Curves, *, sign: int, prune: Prune, pruned: Collection[str] = ()) -> None:
        super().__init__()
        self.curves, self.sign = curves, sign
        self._prune, self._pruned = prune, set(pruned)
        self._replay()

    @abstractmethod
    def enter(self, config: str, folds: Folds, epoch: int) -> None:
        """Take what a configuration has reached on `folds`, for others to be compared to."""

    @abstractmethod
    def verdict(self, config: str, folds: Folds, epoch: int) -> str | None:
        """Why the configuration is to end now that it has come to `epoch` on `folds`; None where it goes on."""

    @abstractmethod
    def moment(self, epoch: int) -> float:
        """The last epoch up to `epoch` at which configurations are judged; 0 for none."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        mine = Trial(result["configuration"], result["fold"])
        config, epoch = mine.config_id, int(result["epoch"])
        judged = result["status"] == "running" and not result["paused"]
        if judged and self.curves.add(mine, epoch, result["objective"]) and self.moment(epoch):
            folds = frozenset(self.curves.folds(config, self.moment(epoch)))
            sentence = None if config in self._pruned else self.verdict(config, folds, epoch)
            self.enter(config, folds, epoch)
            if sentence is not None:
                self._pruned.add(config)
                self._prune(config, sentence)
        decision: str = TrialScheduler.CONTINUE
        return decision

    def _replay(self) -> None:
        """Enter what earlier starts left, fold after fold."""
        for config in self.curves.configurations():
            order = self.curves.folds(config)
            for count in range(1, len(order) + 1):
                folds = frozenset(order[:count])
                for epoch in range(1, self.curves.last(config, folds) + 1):
                    if self.moment(epoch):
                        self.enter(config, folds, epoch)
