"""The effects of a run's design as text that fits 80 columns."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import pandas as pd
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.arm_view import arms_view
from analysis.arms import PlannedArm, arms, base
from analysis.cell_view import cell_view
from analysis.contrasts import contrasts, corrected_families, factors
from analysis.criteria import CRITERIA, Criterion, criterion_of
from analysis.effect_table import dim, effect_table, number, span
from analysis.effects_question import EffectsQuestion
from analysis.errors import UserError
from analysis.factorial_effects import factorial_effects
from analysis.factorial_view import factorial_view
from analysis.fidelity.view import design_of
from analysis.labels import short_ids
from analysis.matched import CENSORED
from analysis.preregistration import Preregistration, preregistration, preregistration_view
from analysis.reported import configuration_changes, reported_units
from analysis.store import KEYS, Run
from analysis.terminal import many
from analysis.waterfall import FILE as WALK
from analysis.waterfall import Waterfall, waterfalls


def effects_view(
    run: Run, *, metric: str | None = None, rope: float | None = None, cells: bool = False
) -> Iterator[RenderableType]:
    """What each arm, factor or step did, on `cells` each arm per cell line too, and what was preregistered of it.

    Raises UserError for a run whose design has no arms to compare, and for one without numbers.
    """
    known = preregistration(run)
    asked = EffectsQuestion.of(run, known, metric, rope)
    by, relied, width = asked.by, asked.relied, asked.rope
    planned = arms(run)
    families = contrasts(planned)
    if not families and not factors(planned.values()) and not run.document(WALK):
        raise UserError(
            f"{run.path}: its design ({design_of(run) or 'none'}) names no arms and no base to compare them with; "
            "use `python -m analysis compare` for one key"
        )
    units = every_unit(run)
    if units[by.key].notna().sum() == 0:
        raise UserError(f"{run.path}: no unit has a {by.label} on val_unseen yet")
    yield Text(f"\nEffects in {run.name}: {by.label} on val_unseen", style="bold")
    direction = "higher" if by.higher_is_better else "lower"
    yield Text(
        f"{direction} is better. Paired by fold and seed; a seed is the mean over its folds, t over seeds: for these "
        f"cell lines and loci. No effect: two one-sided tests at 5 % (the 90 % interval within ±{width:g}), on the "
        "seeds that this takes."
    )
    if metric and known and by.key != criterion_of(known.criterion).key:
        yield Text(f"{by.label} is not the criterion that was preregistered: exploratory", style="yellow")
    if known and known.tampered:
        yield Text(
            "the preregistration was changed after the fact (see below): nothing of it is used",
            style="bold red",
        )
    elif known and width != known.rope:
        yield Text(f"±{width:g} is not the region that was preregistered (±{known.rope:g})", style="yellow")
    yield from _otherwise(relied, planned, units)
    yield from _unfinished(units, by)
    if factors(planned.values()):
        yield from factorial_view(factorial_effects(planned, units, by, width), width)
    if families:
        yield from arms_view(run, units, families, by, width, asked.registered)
        if cells:
            yield from cell_view(run, families)
    elif cells:
        raise UserError(f"{run.path}: --cells is of designs with arms around a base")
    seeds, walks = waterfalls(run, units, by, width)
    for walk in walks:
        yield from _walk(walk, seeds)
    shown = {each.config for some in families.values() for each in some} | {base(run)}
    shown |= {fall.config for walk in walks for fall in walk.falls}
    yield from _identities(run, planned, shown)
    yield from preregistration_view(run)


def _identities(
    run: Run, planned: Mapping[str, PlannedArm], shown: Collection[str | None]
) -> Iterator[RenderableType]:
    """The arms that tables name, with the beginnings of their identities."""
    short = short_ids([*planned, *configuration_changes(run)])
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for config in planned:
        if config in shown:
            table.add_row(short[config], planned[config].name)
    if table.row_count:
        yield Text("\nIdentities that commands take, as they take the names", style="bold")
        yield table


def _otherwise(
    known: Preregistration | None, planned: Mapping[str, PlannedArm], units: pd.DataFrame
) -> Iterator[RenderableType]:
    """What of arms and seeds is analysed otherwise than it was preregistered."""
    if known is None:
        return
    families = corrected_families(planned)
    names = [name for members in families.values() for some in members.values() for name in some]
    asked = known.names
    if families and set(names) != set(asked):
        gone = [name for name in asked if name not in names]
        new = [name for name in names if name not in asked]
        said = [f"gone: {', '.join(gone)}"] * bool(gone) + [f"new: {', '.join(new)}"] * bool(new)
        yield Text(f"the family is not the one that was preregistered: {'; '.join(said)}", style="yellow")
    seeds = sorted({int(seed) for seed in units["seed"]})
    if known.seeds and seeds and seeds != sorted(known.seeds):
        yield Text(
            f"{many(len(seeds), 'seed')} are analysed, {len(known.seeds)} were preregistered: exploratory where that "
            "followed from a look at results",
            style="yellow",
        )


def _unfinished(units: pd.DataFrame, by: Criterion) -> Iterator[RenderableType]:
    lacking = int((units[by.key].isna() & ~units["status"].isin(CENSORED)).sum())
    if lacking:
        yield Text(
            f"{lacking} of {many(len(units), 'unit')} that were begun have no result (yet)", style="yellow"
        )


def every_unit(run: Run) -> pd.DataFrame:
    """Every unit (config, fold, seed) that the run has, with its status and criteria; NaN where it has no number."""
    known = reported_units(run)[[*KEYS, *CRITERIA]]
    units = run.table("units")[[*KEYS, "status"]]
    return units.merge(known, on=KEYS, how="left")


def _walk(walk: Waterfall, seeds: Sequence[int]) -> Iterator[RenderableType]:
    yield Text(f"\nPath {walk.title}: reported on seeds {', '.join(map(str, seeds))}", style="bold")
    table = effect_table("step", "value", "change", "95 % interval", "p", "verdict")
    for fall in walk.falls:
        ends = ["", ""] if fall.effect is None else span(fall.effect)
        table.add_row(Text(fall.name), number(fall.value), *ends, number(fall.p, "{:.2g}"), fall.verdict)
    yield table
    yield dim(
        "each step minus the one before, on seeds that did not choose it; p: t over seeds, Holm over the "
        f"{many(max(len(walk.falls) - 1, 0), 'step')}."
    )
    if walk.left_out:
        yield dim(f"{many(walk.left_out, 'pair')} left out: a unit was stopped or pruned or has no number.")
