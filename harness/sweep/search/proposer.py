"""What runs next: unfinished configurations first, then a grid's or the sampler's, each configuration once."""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from harness.config.blocks.design import Staged
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.space import changes_key
from harness.config.sweep.sweep import Sweep
from harness.design.plan import Plan, Unit
from harness.sweep.run.stored import Reached
from harness.sweep.run.verdict import Verdict
from harness.sweep.search.beside import beside
from harness.sweep.search.left import finite, unplanned
from harness.sweep.search.stages import results
from harness.sweep.search.study import Draw, Study
from harness.sweep.show.board import Board, BoardRow

ATTEMPTS = 200
"""Proposals in a row that are all known or impossible, after which a space without end counts as exhausted."""
REPEATS = 4
"""The same of a finite space, after which the neighbours of what the sampler proposed are looked at, and then the space
in order: what a proposal costs is bounded however full the space is."""
NEIGHBOURS = 16
"""Neighbours of a proposal that are looked at with one entry drawn anew, then with two, and so on."""


class Proposer(Searcher):
    """Serves configurations to Ray Tune and keeps plan and study in step with them. A configuration is in the plan on disk
    before its worker starts, so that a later start knows it whatever happens.

    `plan` grows as a search proposes; `pending`: configuration -> its units that are still to run; `reached`: what those
    of its units reached that ended in an earlier start; `new`: configurations that the sampler is still to propose; `gpu`
    decides model.size: auto; `view` gives the encoded dataset of a configuration's window sizes. `give_up` is called with
    (configuration, unfinished units) when a worker died too often, `ended` with the names of units that ended with a
    result, of a configuration that will not write again.
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
        view: Callable[[ConfigurationBlock], Path],
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
        self._known = {changes_key(planned.changes) for planned in plan.configs.values()}
        self._attempts = min(ATTEMPTS, REPEATS) if finite(sweep) else ATTEMPTS
        self._enqueued = deque(sweep.basis.enqueued)
        self._random = random.Random(sweep.config.sampler.seed + len(plan.configs))
        self._left: Iterator[tuple[ConfigurationBlock, dict[str, object]]] | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """What Tune starts next, or FINISHED."""
        if not self.waiting and isinstance(self.sweep.config.of_design, Staged):
            if self.pending:
                return None
            self._next_stage(self.sweep.config.of_design)
        config = self.waiting.popleft() if self.waiting else self._propose()
        if config is None:
            finished: Any = Searcher.FINISHED
            return finished
        planned = self.plan.configs[config]
        self._configuration[trial_id] = config
        unit_runs = len(self.pending[config])
        self.board.enter(BoardRow(config, planned.changes, planned.config.optimiser.epochs, unit_runs))
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
        others = beside(self.run, self.plan.units_of(config), self.sweep.config.sampler.beside)
        self.study.tell(config, status, objective, others)
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

    def _next_stage(self, design: Staged) -> None:
        """Plan what a staged design asks for now that all has ended; nothing is left to propose at its end."""
        arms = design.next_arms(self.sweep.basis, results(self.sweep, self.plan, self.run, gpu=self.gpu))
        for arm in arms:
            config = self.sweep.resolved(arm.changes, gpu=self.gpu)
            if config.id not in self.plan.configs:
                self.plan = self.plan.with_arm(config, arm)
                self.plan.append(self.run, config.id)
                self.pending[config.id] = self.plan.units_of(config.id)
                self.waiting.append(config.id)
        self.new = max(0, self.new - len(self.waiting)) if self.waiting else 0

    def _propose(self) -> str | None:
        if self.new <= 0:
            return None
        while self._enqueued:
            changes = self._enqueued.popleft()
            config = self._unknown(changes)
            if config is not None:
                return self._accept(self.study.draw_of(changes), config)
        draw = None
        for _ in range(self._attempts):
            draw = self.study.ask()
            config = self._unknown(draw.changes)
            if config is not None:
                return self._accept(draw, config)
            self.study.refuse(draw)
        near = self._neighbour(draw.changes) if draw is not None and finite(self.sweep) else None
        return near or self._first_left()

    def _unknown(self, changes: Mapping[str, Any]) -> ConfigurationBlock | None:
        """The configuration of a draw; None when it is impossible or in the plan. No draw is composed twice."""
        key = changes_key(changes)
        if key in self._known:
            return None
        self._known.add(key)
        try:
            config = self.sweep.resolved(changes, gpu=self.gpu)
        except ConfigError:
            return None
        return None if config.id in self.plan.configs else config

    def _neighbour(self, changes: Mapping[str, Any]) -> str | None:
        """A configuration that the run has not, as close as may be to what the sampler would have again."""
        space = self.sweep.space
        drawn = space.find(changes) or {}
        for count in range(1, len(space.entries) + 1):
            for _ in range(NEIGHBOURS):
                anew = set(self._random.sample(list(space.entries), count))
                other = space.draw(
                    lambda name, entry, anew=anew: (  # type: ignore[misc]
                        drawn[name]
                        if name in drawn and name not in anew
                        else self._random.choice(entry.values())
                    )
                )
                config = self._unknown(other)
                if config is not None:
                    return self._accept(self.study.draw_of(other), config)
        return None

    def _first_left(self) -> str | None:
        """What a sampler that repeats itself leaves over of a finite space; None when nothing is.

        The space is walked through once in the life of the driver, however often this is asked.
        """
        if self._left is None:
            self._left = unplanned(self.sweep, self.plan.configs, gpu=self.gpu) or iter(())
        for config, changes in self._left:
            if config.id not in self.plan.configs:
                return self._accept(self.study.draw_of(changes), config)
        self.exhausted = True
        self.new = 0
        return None

    def _accept(self, draw: Draw, config: ConfigurationBlock) -> str:
        self.plan = self.plan.add(config, draw.changes)
        self.plan.append(self.run, config.id)
        self.study.accept(draw, config.id)
        self.pending[config.id] = self.plan.units_of(config.id)
        self.new -= 1
        return config.id
