"""`--trust`: randomly chosen configurations of a screen are trained on cached features, in full, and in full on other
seeds, each as a run of its own below the screen's, and how well the orders agree is recorded beside the screen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.criteria import criterion_of
from analysis.errors import UserError
from analysis.fidelity.agreement import agreement, shared_best
from analysis.fidelity.record import FEWEST, TRUST, FidelityRecord, TrustRecord
from analysis.fidelity.view import trust_sentence
from analysis.output import counted
from analysis.ranking import rank
from analysis.store import Run
from harness.config.blocks.design import DesignBlock
from harness.config.blocks.sweep import NoSchedulerBlock, SamplerBlock, ScreenBlock, SweepBlock
from harness.config.space.composer import Composer
from harness.config.space.named_arms import ArmsBlock
from harness.config.space.space import Space, changes_key
from harness.config.sweep.sweep import Sweep
from harness.design.plan import Plan
from harness.shell.terminal import tell
from harness.store.writer import RunWriter
from harness.sweep.driver import run_sweep
from harness.sweep.options import Options
from harness.sweep.report import conclude
from harness.sweep.screening import Cached, TimeLeft, key_of, resumed, run_cached
from harness.sweep.start import Start
from harness.sweep.task import Task
from harness.sweep.tuning import Outcome

FOLDER = "trust"
"""Folder of a screen's run with the runs that it is judged by."""
DRAWN_WITH = 24
"""Seed of the sampler that draws the configurations: another one than a search begins with."""


def run_trust(options: Options, console: Console, screen: Cached, fidelity: object) -> int:
    """Compare a screen with full training and record it; the exit status: 0, or that of a part that did not finish.

    Raises
    ------
    UserError
        as `run_sweep`, and for a space that holds fewer configurations than a record is made of.
    """
    sweep = screen.load()
    size = sweep.space.size()
    if size is not None and size < FEWEST:
        raise UserError(
            f"--trust: the space of {sweep.path} holds {counted(size, 'configuration')} at most, and a screen is judged by "
            f"{FEWEST}: train them in full (--set fidelity=full)"
        )
    run, clock = screen.folder(sweep), TimeLeft(options)
    drawn = Drawn(screen, run / FOLDER / "cached")
    status = run_cached(drawn, console)
    if status or options.dry_run:
        if not status:
            tell(console, _in_full_later(sweep))
        return status
    plan = Plan.load(drawn.run)
    assert plan is not None
    if len(plan.asked) < FEWEST:
        raise UserError(
            f"--trust: {drawn.run} has {counted(len(plan.asked), 'configuration')}, and a screen is judged by "
            f"{FEWEST}: the "
            "space holds no more that can be"
        )
    arms = {f"c{number}": dict(plan.configs[config].changes) for number, config in enumerate(plan.asked)}
    for name, shift in (("full", 0), ("again", 1)):
        task = InFull(screen, run / FOLDER / name, arms, shift=shift)
        status = run_sweep(clock.left(resumed(screen.options, task.run)), console, task)
        if status:
            return status
    values = [_values(run / FOLDER / name, arms, sweep) for name in ("cached", "full", "again")]
    record = _record(values, key_of(sweep, plan, drawn.side), sweep, fidelity)
    RunWriter(run).write_json(TRUST, record.content())
    said = trust_sentence(Run(run), FidelityRecord("cached", record.key, (), ()))
    tell(console, said)
    return 0


class Drawn(Cached):
    """Configurations of a screen's space, drawn at random, on cached features; none is stopped early."""

    def __init__(self, screen: Cached, run: Path) -> None:
        self.screen, self.run = screen, run
        super().__init__(screen.options)
        self.sides = screen.sides

    def load(self, *settings: str) -> Sweep:
        sweep = self.screen.load(*settings)
        config = _plain(sweep.config, "search", "How far do cached results agree with full training?")
        sampler = SamplerBlock(kind="random", seed=DRAWN_WITH)
        config = config.model_copy(update={"trials": FEWEST, "sampler": sampler})
        return replace(
            sweep, config=config, basis=replace(sweep.basis, config=config, enqueued=()), warnings=()
        )

    def folder(self, sweep: Sweep) -> Path:
        return self.run

    @property
    def held(self) -> tuple[str, ...]:
        return self.screen.held


class InFull(Task):
    """The same configurations trained in full, on the seeds of the screen or on as many others (`shift` 1)."""

    def __init__(
        self, screen: Cached, run: Path, arms: Mapping[str, Mapping[str, Any]], *, shift: int
    ) -> None:
        super().__init__(screen.options)
        self.screen, self.run, self.arms, self.shift = screen, run, arms, shift

    def load(self, *settings: str) -> Sweep:
        sweep = self.screen.load(*settings)
        config = _plain(
            sweep.config, "grid", "How far does full training agree with itself, and a screen with it?"
        )
        seeds = config.seeds
        moved = [seed + self.shift * (max(seeds) + 1) for seed in seeds]
        trial = config.trial.model_copy(update={"seeds": moved, "share_prefix": True})
        config = config.model_copy(update={"fidelity": "full", "trial": trial, "trials": None})
        composer = Composer(sweep.basis.composer.base)
        space = Space(
            {"drawn": ArmsBlock(choice={name: dict(changes) for name, changes in self.arms.items()})}
        )
        basis = replace(sweep.basis, config=config, space=space, composer=composer, enqueued=())
        return replace(sweep, config=config, basis=basis, trial=composer({}), warnings=())

    def designed(self, sweep: Sweep) -> str:
        return f"{self.screen.load().config.design.kind}: the {len(self.arms)} that were drawn, in full"

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
        return conclude(console, run, sweep.config, start, outcome, ended, ranked=False)


def _plain(config: SweepBlock, design: str, question: str) -> SweepBlock:
    """A sweep in which every configuration runs to its last epoch."""
    changes: dict[str, Any] = {
        "question": question,
        "design": DesignBlock(kind=design),
        "sampler": SamplerBlock(),
        "scheduler": NoSchedulerBlock(kind="none"),
        "stop": [],
        "enqueue": [],
        "track": [],
    }
    return config.model_copy(update=changes)


def _in_full_later(sweep: Sweep) -> str:
    """What a dry run says of the part that costs most: its configurations are known once they are drawn."""
    seeds, epochs = len(sweep.config.seeds), sweep.trial.optimiser.epochs
    each = f"{counted(seeds, 'seed')} of {counted(epochs, 'epoch')}"
    return (
        f"then, most of the cost: the same {FEWEST} configurations in full, on these seeds and on as many others: 2 x "
        f"{FEWEST} configurations x {each} on each fold, a unit about what one of the sequence side above takes"
    )


def _values(run: Path, arms: Mapping[str, Mapping[str, Any]], sweep: Sweep) -> list[float]:
    """What every configuration reached of the objective, in the order of the arms; NaN for one that reached nothing."""
    ranking = rank(Run.open(run), criterion_of(sweep.config.objective).key)
    reached = {
        changes_key(dict(ranking.changes[str(row["config"])])): float(row["value"])
        for row in ranking.configurations.to_dict("records")
    }
    return [reached.get(changes_key(changes), math.nan) for changes in arms.values()]


def _record(values: Sequence[Sequence[float]], key: str, sweep: Sweep, fidelity: object) -> TrustRecord:
    """Of the configurations that all three runs have a value of."""
    kept = [row for row in zip(*values, strict=True) if not any(map(math.isnan, row))]
    if len(kept) < 2:
        raise UserError(
            f"--trust: only {counted(len(kept), 'configuration')} ended in all three ways, and there is nothing to compare"
        )
    cached, full, again = (list(column) for column in zip(*kept, strict=True))
    share = fidelity.promote / fidelity.screen if isinstance(fidelity, ScreenBlock) else 0.25
    best = max(1, round(share * len(kept)))
    larger = sweep.config.direction == "maximize"
    return TrustRecord(
        key=key,
        screened=agreement(cached, full),
        ceiling=agreement(again, full),
        best=best,
        held=shared_best(cached, full, best, larger=larger),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
