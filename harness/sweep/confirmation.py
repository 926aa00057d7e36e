"""`--confirm`: what a sweep has chosen is run again, on fresh seeds of a namespace of their own and on a fold that its
selection did not use; the run of that lies in RUN/confirmation, so that no selection ever reads its units."""

import getpass
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from analysis.confirmation.choice import best_baseline, candidates, seeds_to_confirm
from analysis.confirmation.record import ChoiceRecord, Opening
from analysis.confirmation.seal import FILE, FOLDER, STREAMS
from analysis.errors import UserError
from analysis.output import counted
from analysis.ranking import Ranking
from harness.config.blocks.data import FoldBlock
from harness.config.blocks.design import DesignBlock
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.sweep import NoSchedulerBlock, SamplerBlock
from harness.config.space.named_arms import ArmsBlock
from harness.config.space.space import Space, changes_key
from harness.config.sweep.sweep import Sweep
from harness.data.dataset import EncodedDataset
from harness.data.unused_fold import unused_fold
from harness.design.plan import Plan
from harness.shell.terminal import tell
from harness.store.writer import RunWriter
from harness.sweep.foresight import Cost
from harness.sweep.options import Options
from harness.sweep.report import conclude, show_ranking
from harness.sweep.run.statuses import ENDED
from harness.sweep.run.stored import stored_units
from harness.sweep.start import Start
from harness.sweep.task import Task
from harness.sweep.tuning import Outcome


class Confirming(Task):
    """The confirmation of what the sweep in `run` has chosen: the candidates of its ranking as they are now."""

    def __init__(self, options: Options, run: Path, sweep: Sweep, ranking: Ranking, plan: Plan) -> None:
        super().__init__(options)
        self.run, self.sweep, self.ranking, self.plan = run, sweep, ranking, plan
        self.candidates = candidates(ranking)
        self.seeds, why = seeds_to_confirm(ranking)
        tracked = ", ".join(sweep.config.track)
        closed = (
            f"{tracked}: nothing is tracked before the test split is opened; then python -m analysis export"
        )
        self.notes: tuple[str, ...] = (why, f"{closed} {run / FOLDER}") if tracked else (why,)
        self.of_choice = len(self.notes)

    def load(self, *settings: str) -> Sweep:
        """A grid of the candidates under other random streams, without a scheduler or stop rules: all of them run to
        their last epoch."""
        arms = {each.label: self._changes(each.config, each.label) for each in self.candidates}
        config = self.sweep.config.model_copy(
            update={
                "question": f"Does what {self.sweep.config.name} chose hold on fresh seeds and on other loci?",
                "design": DesignBlock(kind="grid"),
                "trial": self.sweep.config.trial.model_copy(update={"seeds": self.seeds}),
                "sampler": SamplerBlock(),
                "scheduler": NoSchedulerBlock(kind="none"),
                "stop": [],
                "enqueue": [],
                "trials": None,
                "track": [],
            }
        )
        space = Space({"confirmed": ArmsBlock(choice=arms)})
        basis = replace(self.sweep.basis, config=config, space=space, enqueued=())
        return replace(self.sweep, config=config, basis=basis, warnings=())

    def designed(self, sweep: Sweep) -> str:
        return "confirmation: what was chosen, on fresh seeds and a fold that chose nothing"

    def folder(self, sweep: Sweep) -> Path:
        return self.run / FOLDER

    def on(self, sweep: Sweep, dataset: EncodedDataset) -> Sweep:
        """On the fold that is left."""
        left = unused_fold(dataset, list(self.plan.known.values()))
        self.notes = (*self.notes[: self.of_choice], *left.notes)
        fold = left.fold
        block = FoldBlock(test=list(fold.test), val=list(fold.val), chromosomes=list(fold.chromosomes))
        data = sweep.config.data.model_copy(update={"folds": [block], "chromosomes": None})
        config = sweep.config.model_copy(update={"data": data})
        return replace(sweep, config=config, basis=replace(sweep.basis, config=config))

    def foreseen(self, console: Console, sweep: Sweep, start: Start, cost: Cost | str | None) -> None:
        for note in self.notes:
            tell(console, f"note: {note}")

    def begin(self, sweep: Sweep, plan: Plan) -> None:
        self._write(self._record(plan))
        # Units of an earlier choice, which nobody has looked at, stay in the store and are in no number.

    def conclude(
        self,
        console: Console,
        run: Path,
        sweep: Sweep,
        start: Start,
        outcome: Outcome | None,
        ended: Sequence[str],
    ) -> int:
        """Open the test split where every unit has ended, and show what it says above the ranking of the selection."""
        plan = outcome.plan if outcome is not None else start.plan
        status = conclude(console, run, sweep.config, start, outcome, ranked=False)
        stored = stored_units(run)
        left = [unit for unit in plan.units() if unit not in stored or stored[unit].status not in ENDED]
        if left:
            tell(
                console,
                f"{counted(len(left), 'unit')} of the confirmation did not end: its test split stays closed; go on with "
                "--confirm --resume",
                "yellow",
            )
            return max(status, 1)
        record = self._record(plan)
        opening = Opening(
            _now(),
            _who(),
            shlex.join(sys.orig_argv),
            tuple(c.config for c in record.candidates),
            len(plan.units()),
        )
        self._write(replace(record, opened=opening))
        return max(status, show_ranking(console, self.run, record.criterion))

    def _record(self, plan: Plan) -> ChoiceRecord:
        """What is confirmed: the arms of the plan in the order of the candidates."""
        by_changes = {changes_key(planned.changes): config for config, planned in plan.configs.items()}
        named = [by_changes[changes_key(self._changes(each.config, each.label))] for each in self.candidates]
        baseline, value = best_baseline(self.ranking)
        (fold,) = plan.folds
        return ChoiceRecord(
            criterion=self.ranking.by.key,
            chosen=_now(),
            selected_on=tuple(self.plan.label(fold) for fold in self.plan.folds),
            fold=replace(plan.known[fold], name="confirmation").label,
            seeds=len(plan.seeds),
            candidates=tuple(
                replace(c, confirmed_as=id) for c, id in zip(self.candidates, named, strict=True)
            ),
            baseline=baseline,
            baseline_value=value,
            notes=self.notes,
        )

    def _write(self, record: ChoiceRecord) -> None:
        RunWriter(self.run / FOLDER).write_json(FILE, record.content())

    def _changes(self, config: str, label: str) -> dict[str, object]:
        """What the candidate changes around the base, and the namespace of its streams.

        Raises
        ------
        UserError
            for a configuration that the YAML does not give any more.
        """
        planned = self.plan.configs[config]
        try:
            today = {self.sweep.resolved(planned.changes, gpu=gpu).id for gpu in (False, True)}
        except ConfigError:
            today = set()
        if config not in today:
            raise UserError(
                f"--confirm: {self.sweep.path} does not give {label} ({config}) any more, which the ranking of {self.run} "
                "has; undo the edit of its base or settings, or run the edited sweep with another --out"
            )
        return {**planned.changes, "streams": f"{planned.config.streams}{STREAMS}"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _who() -> str:
    """User and machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    return f"{user} on {platform.node()}"
