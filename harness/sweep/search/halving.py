"""Asynchronous successive halving that lets a configuration end itself properly."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from harness.config.blocks.sweep import AshaSchedulerBlock


class LockstepHalving(AsyncHyperBandScheduler):
    """Ray's ASHA over configurations: all units of one advance together and are judged by their mean.

    Rungs lie at grace, grace * reduction, ... epochs; a configuration below the best 1/reduction at a rung is told
    to end through `prune(config, sentence)`, so that its worker still evaluates what was trained, and its next
    result is its last. Rungs are keyed by configuration, so a worker that died, or a resumed run, is not counted
    twice. Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning".

    Parameters
    ----------
    history : configuration -> (epoch, objective) of an earlier start of the run, replayed into the rungs.
    """

    LONGEST = 10_000

    def __init__(
        self,
        block: AshaSchedulerBlock,
        *,
        mode: str,
        prune: Callable[[str, str], None],
        history: Mapping[str, Sequence[tuple[int, float]]],
    ) -> None:
        super().__init__(
            time_attr="epoch",
            metric="objective",
            mode=mode,
            max_t=self.LONGEST,
            grace_period=block.grace,
            reduction_factor=block.reduction,
        )
        self._prune = prune
        self._best = f"the best 1/{block.reduction:g}"
        self._pruned: set[str] = set()
        for config, values in history.items():
            for epoch, objective in values:
                self._judge(config, epoch, objective)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Configurations enter at their first result."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        config, epoch, objective = result["configuration"], result["epoch"], result["objective"]
        judged = result["status"] == "running" and not result.get("paused")
        undecided = judged and config not in self._pruned
        if undecided and self._judge(config, epoch, objective) == TrialScheduler.STOP:
            self._pruned.add(config)
            self._prune(
                config, f"pruned after epoch {epoch}: objective {objective:.4f} is not among {self._best}"
            )
        decision: str = TrialScheduler.CONTINUE
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """The last result was already judged, or ended the configuration itself."""

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """A configuration that failed leaves its rungs as they are."""

    def _judge(self, config: str, epoch: int, objective: float) -> str:
        controller: Any = None
        entry: Any = SimpleNamespace(trial_id=config)
        if config not in self._trial_info:
            super().on_trial_add(controller, entry)
        verdict: str = super().on_trial_result(controller, entry, {"epoch": epoch, "objective": objective})
        return verdict
