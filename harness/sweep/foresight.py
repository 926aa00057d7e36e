"""Before it runs: what a sweep costs, what it can see, and how many seeds fit a budget."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from analysis.criteria import criterion_of
from analysis.errors import UserError
from analysis.output import counted
from analysis.pilot import PilotSpread, default_spread, pilot_spread
from analysis.store import Run
from harness.config.blocks.design import Staged
from harness.config.sweep.sweep import Sweep
from harness.design.plan import Plan, by_trial
from harness.shell.terminal import tell
from harness.sweep.cost import UnitCost, Workers
from harness.sweep.run.documents import plan_of_run
from harness.sweep.run.preregistered import stored_entries
from harness.sweep.search.sharing import Sharing
from harness.sweep.show.board import duration
from harness.sweep.show.foreseen import sight
from harness.sweep.start import Start

MOST_SEEDS = 1000
"""As many as `trial.seeds` takes."""


@dataclass(frozen=True)
class Cost:
    """Of what is to run: a unit of the base, and the workers."""

    unit: UnitCost
    workers: Workers

    def wall(self, configurations: int, folds: int, seeds: int) -> float:
        """Seconds of a whole plan."""
        return self.workers.wall(configurations * folds, self.unit.trial(seeds))


def foresee(
    console: Console,
    sweep: Sweep,
    start: Start,
    cost: Cost | str | None,
    spread: PilotSpread | None,
    sharing: Sharing,
) -> None:
    """Print cost and sight of a plan; `cost` is a sentence where nothing could be measured, None where it is not asked
    for."""
    told = {} if cost is None else {"cost": _cost_lines(sweep, start, cost, sharing)}
    for title, lines in {**told, "what it can see": list(sight(sweep, start.plan, spread))}.items():
        console.print(title, style="bold", highlight=False)
        for line in lines:
            tell(console, line, indent=2)


def _cost_lines(sweep: Sweep, start: Start, cost: Cost | str, sharing: Sharing) -> list[str]:
    plan = start.plan
    pending = by_trial(unit for units in start.pending.values() for unit in units)
    seeds = [len(units) for units in pending.values()] + [len(plan.seeds)] * (start.new * len(plan.folds))
    configurations = len(start.pending) + start.new
    units = [unit for units in pending.values() for unit in units]
    ceiling = sharing.ceiling(plan, units, start.new)
    epochs = sum(seeds) * sweep.trial.optimiser.epochs
    lines = [
        f"{counted(configurations, 'configuration')}, {counted(len(seeds), 'trial')}, {counted(sum(seeds), 'unit')}, "
        f"{epochs:,} epochs"
    ]
    if shared := sharing.foreseen(plan, start.pending, start.new):
        lines.append(f"phase 1: {shared}")
    if isinstance(cost, str):
        lines.append(f"no step was measured: {cost}")
    elif seeds:
        times = [cost.unit.trial(count) for count in seeds]
        spared = ceiling.spared * cost.unit.phases[0].trained
        wall = max(max(times), (sum(times) - spared) / cost.workers.count)
        threads = counted(cost.workers.threads, "thread")
        lines += [
            f"about {duration(wall)}, an estimate: {counted(cost.workers.count, 'worker')} of {threads} on "
            f"{cost.workers.where}",
            f"{cost.unit.sentence()}, {cost.unit.end:.2g} s at the end of a unit"
            + (f", {cost.unit.audit:.2g} s audit of a trial" if cost.unit.audit else ""),
            "measured on the base alone, with nothing beside it; other arms, baselines and start-up differ",
        ]
    return lines


def spread_of(sweep: Sweep, pilot: Path | None) -> PilotSpread | None:
    """The spread that a plan is judged by: a pilot's, or the default; UserError for a pilot that has none."""
    by = criterion_of(sweep.config.objective)
    if pilot is None:
        return default_spread(by)
    try:
        run = Run.open(pilot)
    except UserError as error:
        raise UserError(f"--pilot {error}") from None
    return pilot_spread(run, by)


def within_budget(sweep: Sweep, folds: int, cost: Cost, seconds: float) -> tuple[str, str]:
    """(setting that makes the sweep fit, as `path=value`; what was chosen, in a sentence).

    The seeds of an enumerated design, the same for every arm; of a path the steps, which cap its runs.

    Raises
    ------
    UserError
        for a search, and where not even 2 seeds, or 1 step, fit.
    """
    design, config = sweep.config.of_design, sweep.config
    said = f"on {counted(cost.workers.count, 'worker')} by a measured step"
    if isinstance(design, Staged):
        return _steps_within(sweep, design, folds, cost, seconds, said)
    if design.searched:
        raise UserError(
            f"--budget is for designs whose arms are known; design: {design.name} goes on until --time T, or --trials N"
        )
    most = len(config.trial.seeds) if isinstance(config.trial.seeds, list) else MOST_SEEDS
    if cost.wall(sweep.trials, folds, 2) > seconds or most < 2:
        raise _too_small(
            seconds, cost.wall(sweep.trials, folds, 2), f"{_size(sweep.trials, folds)} x 2 seeds", said
        )
    waves = -(-sweep.trials * folds // cost.workers.count)
    seeds = min(most, int((seconds / waves - cost.unit.audit) / cost.unit.seconds))
    chosen = config.seeds[:seeds] if isinstance(config.trial.seeds, list) else seeds
    takes = duration(cost.wall(sweep.trials, folds, seeds))
    return f"trial.seeds={chosen}", (
        f"--budget {duration(seconds)}: {seeds} seeds for each of {_size(sweep.trials, folds)}, about {takes} {said}"
    )


def _steps_within(
    sweep: Sweep, design: Staged, folds: int, cost: Cost, seconds: float, said: str
) -> tuple[str, str]:
    seeds = len(sweep.config.seeds)
    fitting = [
        (steps, runs) for steps, runs in design.sizes(sweep.basis) if cost.wall(runs, folds, seeds) <= seconds
    ]
    if not fitting:
        least = design.sizes(sweep.basis)[0][1]
        raise _too_small(
            seconds, cost.wall(least, folds, seeds), f"{_size(least, folds)} of a first step", said
        )
    steps, runs = max(fitting)
    takes = duration(cost.wall(runs, folds, seeds))
    return f"design.steps={steps}", (
        f"--budget {duration(seconds)}: {counted(steps, 'step')} from either end, at most {_size(runs, folds)} x "
        f"{seeds} seeds, about {takes} {said}"
    )


def resumed_budget(sweep: Sweep, run: Path) -> str | None:
    """The setting that an interrupted start chose for its budget; None where there is no run to go on with."""
    plan: Plan | None = plan_of_run(run, sweep)
    if plan is None:
        return None
    if not isinstance(sweep.config.of_design, Staged):
        return f"trial.seeds={list(plan.seeds)}"
    entries = stored_entries(run)
    steps = entries[-1]["content"]["design"].get("steps") if entries else None
    return None if steps is None else f"design.steps={steps}"


def _size(configurations: int, folds: int) -> str:
    return f"{counted(configurations, 'configuration')} x {counted(folds, 'fold')}"


def _too_small(seconds: float, needed: float, what: str, said: str) -> UserError:
    return UserError(
        f"--budget {duration(seconds)}: not even {what} fit, which take about {duration(needed)} {said}; give at least "
        f"that, fewer epochs, arms or folds"
    )
