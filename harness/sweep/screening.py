"""Sweeps with `fidelity`: the sequence sides are trained, configurations on their features, and the best maybe in full."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from analysis.criteria import criterion_of
from analysis.errors import UserError
from analysis.fidelity.record import FILE, SCREEN, FidelityRecord
from analysis.fidelity.view import MARK
from analysis.output import counted
from analysis.ranking import rank
from analysis.store import Run
from harness.config.blocks.design import DesignBlock
from harness.config.blocks.sweep import NoSchedulerBlock, SamplerBlock, ScreenBlock
from harness.config.space.named_arms import ArmsBlock
from harness.config.space.space import Space
from harness.config.sweep.fidelity import held_in_screen
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.config.sweep.use import loaded
from harness.design.plan import Plan
from harness.shell.terminal import tell
from harness.stamp.code import Code
from harness.store.writer import RunWriter
from harness.sweep.driver import run_sweep
from harness.sweep.foresight import Cost
from harness.sweep.options import Options
from harness.sweep.report import conclude
from harness.sweep.run.lock import only_driver, refuse_running
from harness.sweep.sides import FOLDER, SideTask, check_sides, rests_of
from harness.sweep.start import Start
from harness.sweep.task import Task
from harness.sweep.tuning import Outcome


def run_cached(task: "Cached", console: Console) -> int:
    """Train the sequence sides that are not there yet, then the configurations of a cached sweep on their features."""
    run, options, clock = task.folder(task.load()), task.options, TimeLeft(task.options)
    plain = replace(options, trials=None, budget=None, pilot=None, out=task.sides)
    if options.dry_run:
        refuse_running(run)
        status = run_sweep(resumed(plain, task.sides), console, SideTask(task, task.sides))
    else:
        with only_driver(run):
            status = run_sweep(resumed(plain, task.sides), console, SideTask(task, task.sides))
            if status == 0:
                task.side = check_sides(task.sides)
    return status if status else run_sweep(clock.left(resumed(options, run)), console, task)


class Cached(Task):
    """A sweep whose configurations train behind frozen sequence sides, which lie in its run's folder."""

    side = ""
    """The configuration whose sides these are, once they are trained."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.sides: Path = self.folder(self.load()) / FOLDER

    @property
    def held(self) -> tuple[str, ...]:
        """Entries of the space that are not screened."""
        return ()

    def foreseen(self, console: Console, sweep: Sweep, start: Start, cost: Cost | str | None) -> None:
        for path in self.held:
            tell(
                console, f"not screened: {path}, held at the base's value: it reaches the sequence side alone"
            )

    @property
    def promotes(self) -> int:
        """How many configurations are trained in full once it has ended."""
        return 0

    def begin(self, sweep: Sweep, plan: Plan) -> None:
        key, rests = key_of(sweep, plan, self.side), rests_of(sweep)
        record = FidelityRecord("cached", key, self.held, rests, promotes=self.promotes)
        RunWriter(self.folder(sweep)).write_json(FILE, record.content())


class Screen(Cached):
    """The cached part of a sweep that promotes: what of its space reaches the sequence side alone is held at the base."""

    def __init__(self, options: Options, sweep: Sweep) -> None:
        assert isinstance(sweep.config.fidelity, ScreenBlock)
        sets = (*options.sets, "fidelity=cached", f"trials={sweep.config.fidelity.screen}")
        self._held, self._promotes = tuple(held_in_screen(sweep.config)), sweep.config.fidelity.promote
        super().__init__(replace(options, sets=sets, trials=None))

    def load(self, *settings: str) -> Sweep:
        sets = [*self.options.sets, *settings]
        return load_sweep(self.options.yaml, overrides=sets, data_root=self.options.data, holds=True)

    @property
    def held(self) -> tuple[str, ...]:
        return self._held

    @property
    def promotes(self) -> int:
        return self._promotes


class Promoting(Task):
    """Trains in full what the screen below `run` has ranked first."""

    def __init__(self, options: Options, run: Path, sweep: Sweep) -> None:
        super().__init__(options)
        self.run, self.sweep = run, sweep
        fidelity = sweep.config.fidelity
        assert isinstance(fidelity, ScreenBlock)
        screen = Run.open(run / SCREEN)
        ranking = rank(screen, criterion_of(sweep.config.objective).key, rope=sweep.config.rope)
        whole = ranking.configurations[ranking.configurations["behind"] == 0]
        plan = Plan.load(run / SCREEN)
        if plan is None:
            raise UserError(f"{run / SCREEN} has no plan that says which configurations were screened")
        self.of = len(plan.asked)
        best = whole.head(fidelity.promote)
        names = promoted_names(best["label"].tolist(), best["short"].tolist())
        changes = (dict(plan.configs[str(config)].changes) for config in best["config"])
        self.promoted = dict(zip(names, changes, strict=True))

    def load(self, *settings: str) -> Sweep:
        """A grid of what was promoted: all of it runs to its last epoch."""
        config = self.sweep.config.model_copy(
            update={
                "fidelity": "full",
                "design": DesignBlock(kind="grid"),
                "sampler": SamplerBlock(),
                "scheduler": NoSchedulerBlock(kind="none"),
                "trials": None,
            }
        )
        space = Space({"promoted": ArmsBlock(choice=self.promoted)})
        basis = replace(self.sweep.basis, config=config, space=space, enqueued=())
        return replace(self.sweep, config=config, basis=basis, warnings=())

    def designed(self, sweep: Sweep) -> str:
        return (
            f"{self.sweep.config.design.kind}: the best {len(self.promoted)} of {self.of} that were screened"
        )

    def folder(self, sweep: Sweep) -> Path:
        return self.run

    def begin(self, sweep: Sweep, plan: Plan) -> None:
        held = tuple(held_in_screen(self.sweep.config))
        record = FidelityRecord("promoted", "", held, (), promoted=len(self.promoted), of=self.of)
        RunWriter(self.run).write_json(FILE, record.content())

    def conclude(
        self,
        console: Console,
        run: Path,
        sweep: Sweep,
        start: Start,
        outcome: Outcome | None,
        ended: Sequence[str],
    ) -> int:
        tell(
            console,
            f"promoted {counted(len(self.promoted), 'configuration')} of {self.of} that were screened",
        )
        return conclude(console, run, sweep.config, start, outcome, ended)


def promoted_names(labels: Sequence[str], short: Sequence[str]) -> list[str]:
    """What configurations of a screen are called in full training: their labels, which round values, so that those of one
    label have the beginning of their identity behind it."""
    names = [label.removesuffix(f" [{MARK}]") for label in labels]
    return [
        f"{name} ({at})" if names.count(name) > 1 else name for name, at in zip(names, short, strict=True)
    ]


class TimeLeft:
    """What is left of --time."""

    def __init__(self, options: Options) -> None:
        self.began, self.seconds = time.monotonic(), options.seconds

    def left(self, options: Options) -> Options:
        """The options with the time that is left."""
        if self.seconds is None:
            return options
        return replace(options, seconds=max(1.0, self.seconds - (time.monotonic() - self.began)))


def key_of(sweep: Sweep, plan: Plan, side: str) -> str:
    """What two screens have alike of which one's agreement with full training says something of the other's: space, base
    and its sequence side, data, folds, seeds, objective, code and files of a person's own."""
    content = {
        "space": sweep.space.content(),
        "base": sweep.trial.resolved(gpu=False).id,
        "side": side,
        "data": plan.data,
        "folds": sorted(plan.folds),
        "seeds": sorted(plan.seeds),
        "objective": sweep.config.objective,
        "code": Code.today().hash,
        "use": sorted(hashlib.sha256(file.source.encode()).hexdigest() for file in loaded()),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def resumed(options: Options, run: Path) -> Options:
    """The options of a part of a sweep: it goes on where it had begun."""
    return replace(options, resume=options.resume and (run / "plan.json").exists())
