"""The run below a screen that trains the sequence sides which its configurations share: the base, once per fold and
seed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from analysis.output import counted
from harness.config.blocks.design import DesignBlock
from harness.config.blocks.sweep import NoSchedulerBlock, SamplerBlock
from harness.config.space.composer import Composer
from harness.config.space.frozen import FrozenComposer
from harness.config.space.space import Space
from harness.config.sweep.sweep import Sweep
from harness.design.plan import Plan
from harness.shell.terminal import tell
from harness.sweep.report import conclude
from harness.sweep.start import Start
from harness.sweep.task import Task
from harness.sweep.tuning import Outcome
from harness.trained.features import kept_features, refuse_unfinished

FOLDER = "sequence"
"""Folder of a run with the run that trains the sequence sides its configurations share."""


class SideTask(Task):
    """Trains in full, in `run`, the configuration whose sequence side the cached ones of `task` share."""

    def __init__(self, task: Task, run: Path) -> None:
        super().__init__(task.options)
        self.task, self.run = task, run

    def load(self, *settings: str) -> Sweep:
        """The base alone, without a space, a scheduler or stop rules."""
        sweep = self.task.load(*settings)
        config = sweep.config.model_copy(
            update={
                "question": f"Which sequence sides do the cached configurations of {sweep.config.name} share?",
                "fidelity": "full",
                "design": DesignBlock(kind="grid"),
                "space": {},
                "sampler": SamplerBlock(),
                "scheduler": NoSchedulerBlock(kind="none"),
                "stop": [],
                "enqueue": [],
                "trials": None,
                "track": [],
            }
        )
        composer = Composer(sweep.basis.composer.base)
        basis = replace(sweep.basis, config=config, space=Space({}), composer=composer, enqueued=())
        return replace(sweep, config=config, basis=basis, trial=composer({}), warnings=())

    def designed(self, sweep: Sweep) -> str:
        return "the base alone, whose sequence side is then frozen"

    def folder(self, sweep: Sweep) -> Path:
        return self.run

    def conclude(
        self,
        console: Console,
        run: Path,
        sweep: Sweep,
        start: Start,
        outcome: Outcome | None,
        ended: Sequence[str],
    ) -> int:
        if outcome is not None and not outcome.finished:
            return conclude(console, run, sweep.config, start, outcome, ended, ranked=False)
        units = counted(len(start.plan.units()), "unit")
        tell(console, f"sequence sides trained: {units} of the base in {run}")
        return 0


def check_sides(run: Path) -> str:
    """The configuration whose sequence sides lie in a run; features of other weights than its units have are removed.

    Raises UserError where one of its units did not end as `done`.
    """
    plan = Plan.load(run)
    assert plan is not None
    (side,) = plan.asked
    refuse_unfinished(run, side)
    kept_features(run)
    return side


def rests_of(sweep: Sweep) -> tuple[str, ...]:
    """Loss terms of the base that act on the sequence side alone: they train it, and are off behind it."""
    composer = sweep.basis.composer
    return tuple(sorted(composer.resting)) if isinstance(composer, FrozenComposer) else ()
