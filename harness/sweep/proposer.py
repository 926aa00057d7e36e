"""What runs next: unfinished configurations first, then a grid's or the sampler's, each configuration once."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from harness.config.explain import ConfigError
from harness.config.sweep import Sweep
from harness.config.trial import TrialConfig
from harness.plan import Plan, Planned, Unit
from harness.sweep.board import Board, Row
from harness.sweep.left import unplanned
from harness.sweep.start import Reached
from harness.sweep.study import Draw, Study
from harness.sweep.verdict import Verdict

ATTEMPTS = 200
"""Proposals in a row that are all known or impossible, after which a finite space is gone through in order, and any
other counts as exhausted."""


class Proposer(Searcher):
    """Serves configurations to Ray Tune and keeps plan and study in step with them.

    A configuration is in the plan on disk before its worker starts, so that a later start knows it whatever happens.

    Parameters
    ----------
    plan : the plan of the run; grows as a search proposes.
    pending : configuration -> its units that are still to run.
    reached : configuration -> what its units reached that ended in an earlier start.
    new : configurations that the sampler is still to propose.
    gpu : decides model.size: auto, as everywhere in the run.
    view : the encoded dataset that serves a configuration's window sizes.
    give_up : called with (configuration, unfinished units) when a worker died too often.
    ended : called with the names of units that ended with a result, of a configuration that will not write again.
    """

    def __init__(
        self,
        sweep: Sweep,
        plan: Plan,
        study: Study,
        board: Board,
        *,
        run: Path,
        pending: dict[str, list[Unit]],
        reached: Mapping[str, Reached],
        new: int,
        gpu: bool,
        view: Callable[[TrialConfig], Path],
        give_up: Callable[[str, Iterable[Unit]], None],
        ended: Callable[[Iterable[str]], None],
    ) -> None:
        super().__init__(metric="objective", mode="max" if board.larger_is_better else "min")
        self.sweep, self.plan, self.study, self.board = sweep, plan, study, board
        self.run, self.gpu, self.view, self.give_up = run, gpu, view, give_up
        self.ended = ended
        self.pending, self.reached = dict(pending), reached
        self.waiting = deque(pending)
        self.new = new
        self.exhausted = False
        self._configuration: dict[str, str] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """What Tune starts next, or FINISHED."""
        config = self.waiting.popleft() if self.waiting else self._propose()
        if config is None:
            finished: Any = Searcher.FINISHED
            return finished
        planned = self.plan.configs[config]
        self._configuration[trial_id] = config
        self.board.enter(self._row(config, planned, len(self.pending[config])))
        return {
            "configuration": config,
            "config": planned.config.canonical(),
            "changes": dict(planned.changes),
            "units": [(unit.fold, unit.seed) for unit in self.pending[config]],
            "finished": dict(self.reached.get(config, {})),
            "dataset": str(self.view(planned.config)),
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self.study.report(result["configuration"], result["epoch"], result["objective"])

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Ended by itself, by too many deaths of its worker, or because the whole sweep stops (then: unfinished)."""
        config = self._configuration.pop(trial_id)
        if error:
            self.give_up(config, self.pending[config])
            self._ended(config, "failed", float("nan"))
        elif result is not None and result["status"] != "running":
            self._ended(config, result["status"], result["objective"])
            self.ended(result["ended"])

    def names(self, config: str) -> list[str]:
        """The units of a configuration that are running."""
        return [unit.name for unit in self.pending.get(config, ())]

    def _ended(self, config: str, status: str, objective: float) -> None:
        self.study.tell(config, status, objective)
        Verdict.drop(self.run, config)
        del self.pending[config]

    def save(self, checkpoint_path: str) -> None:
        """Tune's own snapshots hold nothing: plan and study are on disk already."""
        Path(checkpoint_path).write_bytes(b"")

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a run is resumed from its plan and study, not from Tune's snapshot")

    def __getstate__(self) -> dict[str, Any]:
        """The Tuner pickles itself for a `restore` that this project does not use."""
        return {}

    def _propose(self) -> str | None:
        if self.new <= 0:
            return None
        for _ in range(ATTEMPTS):
            draw = self.study.ask(self.sweep.space)
            try:
                config = self.sweep.compose(draw.changes).resolved(gpu=self.gpu)
            except ConfigError:
                self.study.refuse(draw)
                continue
            if config.id in self.plan.configs:
                self.study.repeat(draw, config.id)
                continue
            return self._accept(draw, config)
        return self._first_left()

    def _first_left(self) -> str | None:
        """What a sampler that repeats itself leaves over of a finite space; None when nothing is."""
        for config, changes in unplanned(self.sweep, self.plan.configs, gpu=self.gpu) or ():
            return self._accept(self.study.given(changes), config)
        self.exhausted = True
        self.new = 0
        return None

    def _accept(self, draw: Draw, config: TrialConfig) -> str:
        self.plan = self.plan.add(config, draw.changes)
        self.plan.append(self.run, config.id)
        self.study.accept(draw, config.id)
        self.pending[config.id] = self.plan.units_of(config.id)
        self.new -= 1
        return config.id

    def _row(self, config: str, planned: Planned, replicates: int) -> Row:
        return Row(config, planned.changes, planned.config.optimiser.epochs, replicates)
