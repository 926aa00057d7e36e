"""What runs next: unfinished trials first, then a grid's or the sampler's configurations, each once, fold by fold."""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from analysis.unit_log import log_file
from harness.config.blocks.design import Staged
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.space import changes_key
from harness.config.sweep.sweep import Sweep
from harness.design.plan import Plan, Unit, by_trial
from harness.design.trial import Trial
from harness.sweep.cluster.packing import Packing
from harness.sweep.run.statuses import WORST_FIRST, Reached, judged
from harness.sweep.run.verdict import Verdict
from harness.sweep.search.beside import beside
from harness.sweep.search.curves import Curves
from harness.sweep.search.left import finite, unplanned
from harness.sweep.search.makers import Makers, Prefix
from harness.sweep.search.stages import results
from harness.sweep.search.study import Draw, Study
from harness.sweep.show.board import Board
from harness.sweep.show.board_row import BoardRow, BoardTrial

ATTEMPTS = 200
"""Proposals in a row that are all known or impossible, after which a space without end counts as exhausted."""
REPEATS = 4
"""The same of a finite space, after which the neighbours of what the sampler proposed are looked at, and then the space
in order: what a proposal costs is bounded however full the space is."""
NEIGHBOURS = 16
"""Neighbours of a proposal that are looked at with one entry drawn anew, then with two, and so on."""


class Proposer(Searcher):
    """Serves trials to Ray Tune and keeps plan and study in step with them: the study has one value per configuration, the
    mean over its folds. A configuration is in the plan on disk before a worker starts on it.

    `plan` grows as a search proposes; `pending`: trial -> its units that are still to run; `reached`: what those units
    reached that ended in an earlier start, of the configurations that have something pending; `new`: configurations that
    the sampler is still to propose; `view` gives the encoded dataset of a configuration's window sizes, `phase1` what
    configurations have alike that share phase 1 (`Sharing.common`; None: this one shares it with none). `give_up` is
    called with the unfinished units of a trial whose worker died too often, `ended` with the names of units that ended
    with a result, of a trial that will not write again.
    """

    def __init__(
        self,
        sweep: Sweep,
        plan: Plan,
        study: Study,
        board: Board,
        *,
        run: Path,
        pending: Mapping[Trial, list[Unit]],
        reached: Mapping[Trial, Reached],
        curves: Curves,
        new: int,
        gpu: bool,
        view: Callable[[ConfigurationBlock], Path],
        phase1: Callable[[ConfigurationBlock], str | None],
        give_up: Callable[[Iterable[Unit]], None],
        ended: Callable[[Iterable[str]], None],
    ) -> None:
        super().__init__(metric="objective", mode="max" if board.larger_is_better else "min")
        self.sweep, self.plan, self.study, self.board = sweep, plan, study, board
        self.run, self.gpu, self.view, self.give_up = run, gpu, view, give_up
        self.ended, self.curves, self.phase1 = ended, curves, phase1
        self.packing = Packing.against_defaults()
        self._makers = Makers()
        self._alike: dict[str, str | None] = {}
        """Configuration -> what `phase1` said of it."""
        self.pending, self.reached = dict(pending), reached
        self.waiting = deque(pending)
        self._judged: dict[str, dict[str, tuple[str, float]]] = {}
        """Configuration -> fold -> status and objective of a trial that has ended."""
        for trial, units in reached.items():
            if trial not in self.pending:
                self._judged.setdefault(trial.config_id, {})[trial.fold] = judged(units)
        self.new = new
        self.exhausted = False
        self._trials: dict[str, Trial] = {}
        self._known = {changes_key(planned.changes) for planned in plan.configs.values()}
        self._attempts = min(ATTEMPTS, REPEATS) if finite(sweep) else ATTEMPTS
        self._enqueued = deque(sweep.basis.enqueued)
        self._random = random.Random(sweep.config.sampler.seed + len(plan.configs))
        self._left: Iterator[tuple[ConfigurationBlock, dict[str, object]]] | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """What Tune starts next, or FINISHED; None where all that waits has its phase 1 in the making."""
        design = self.sweep.config.of_design
        if not self.waiting and isinstance(design, Staged):
            if self.pending:
                return None
            self._next_stage(design)
        if not self.waiting and not self._propose():
            finished: Any = Searcher.FINISHED
            return finished
        trial = next((trial for trial in self.waiting if self._makers.ready(self._prefix(trial))), None)
        if trial is None:
            return None
        self.waiting.remove(trial)
        planned = self.plan.configs[trial.config_id]
        self._trials[trial_id] = trial
        prefix = self._prefix(trial)
        self._makers.begin(trial_id, prefix, planned.config.curriculum.phase1_epochs)
        self._show(trial.config_id)
        return {
            "name": self.board.name(trial),
            "configuration": trial.config_id,
            "fold": trial.fold,
            "seeds": [unit.seed for unit in self.pending[trial]],
            "config": self.packing.pack(planned.config),
            "changes": dict(planned.changes),
            "finished": dict(self.reached.get(trial, {})),
            "shares": prefix is not None,
            "dataset": str(self.view(planned.config)),
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """The study hears of an epoch once all folds have come to it."""
        trial, epoch = self._trials[trial_id], int(result["epoch"])
        self._makers.reached(trial_id, epoch)
        self.curves.add(trial, epoch, result["objective"])
        if math.isfinite(result["objective"]) and 0 < epoch <= self.curves.last(
            trial.config_id, self.plan.folds
        ):
            value = self.curves.mean(trial.config_id, self.plan.folds, epoch)
            self.study.report(trial.config_id, epoch, value)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Ended by itself, by too many deaths of its worker, or because the whole sweep stops (then: unfinished)."""
        trial = self._trials.pop(trial_id)
        self._makers.ended(trial_id)
        if error:
            self.give_up(self.pending[trial])
            self._ended(trial, "failed", float("nan"))
        elif result is not None and result["status"] != "running":
            self._ended(trial, result["status"], result["objective"])
            self.ended(result["ended"])

    def names(self, config: str) -> list[str]:
        """The units of a configuration that are running or waiting."""
        return [unit.name for trial in self._pending_of(config) for unit in self.pending[trial]]

    def withdraw(self, config: str, sentence: str) -> list[Unit]:
        """Let the trials of a configuration that have not begun not begin, since it is pruned on another fold; their
        units. One that an earlier start began is left to a worker, which evaluates what was trained."""
        waiting = [
            trial
            for trial in self._pending_of(config)
            if trial in self.waiting
            and not any(log_file(self.run, unit.name).exists() for unit in self.pending[trial])
        ]
        units = [unit for trial in waiting for unit in self.pending[trial]]
        for trial in waiting:
            self.waiting.remove(trial)
            on_board = self.board.rows[config].trials[trial.fold]
            on_board.status, on_board.reason = "pruned", sentence
            self._ended(trial, "pruned", float("nan"))
        return units

    def _ended(self, trial: Trial, status: str, objective: float) -> None:
        """A trial will run no more; the last one of a configuration ends that, with the mean over its folds."""
        config = trial.config_id
        folds = self._judged.setdefault(config, {})
        folds[trial.fold] = (status, objective)
        del self.pending[trial]
        if self._pending_of(config):
            return
        del self._judged[config]
        worst = min((state for state, _ in folds.values()), key=WORST_FIRST.index)
        values = [value for _, value in folds.values() if math.isfinite(value)]
        others = beside(self.run, self.plan.units_of(config), self.sweep.config.sampler.beside)
        self.study.tell(config, worst, sum(values) / len(values) if values else math.nan, others)
        Verdict.drop(self.run, config)

    def _prefix(self, trial: Trial) -> Prefix | None:
        """The phase 1 that a trial has in common with others; None where it has none."""
        config = trial.config_id
        if config not in self._alike:
            self._alike[config] = self.phase1(self.plan.configs[config].config)
        key = self._alike[config]
        return None if key is None else (key, trial.fold)

    def _pending_of(self, config: str) -> list[Trial]:
        trials = (Trial(config, fold) for fold in self.plan.folds)
        return [trial for trial in trials if trial in self.pending]

    def _show(self, config: str) -> None:
        """A configuration's row on the board, with what its folds reached in earlier starts."""
        planned = self.plan.configs[config]
        if config in self.board.rows:
            return
        epochs, trials = planned.config.optimiser.epochs, {}
        for fold, (status, objective) in self._judged.get(config, {}).items():
            trials[fold] = BoardTrial(0, 0, status, objective=objective)
        for trial in self._pending_of(config):
            trials[trial.fold] = BoardTrial(epochs, len(self.pending[trial]))
        self.board.enter(BoardRow(config, planned.changes, trials, arm=planned.arm))

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
                self.study.accept(self.study.draw_of(arm.changes), config.id)
                trials = by_trial(self.plan.units_of(config.id))
                self.pending |= trials
                self.waiting.extend(trials)
        configurations = len({trial.config_id for trial in self.waiting})
        self.new = max(0, self.new - configurations) if configurations else 0

    def _propose(self) -> str | None:
        """Another configuration, whose trials then wait; None where there is to be none."""
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
        identity = config.id
        self.plan.append(self.run, identity)
        self.study.accept(draw, identity)
        trials = by_trial(self.plan.units_of(identity))
        self.pending |= trials
        self.waiting.extend(trials)
        self.new -= 1
        return identity
