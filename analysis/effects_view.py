"""The effects of a run's design as text that fits 80 columns."""

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.arm_effects import ArmEffect, arm_effects, within_chance
from analysis.arms import arms
from analysis.contrasts import AA, CAPACITY, Contrast, contrasts, factors
from analysis.criteria import CRITERIA, Criterion, criterion, criterion_of
from analysis.errors import UserError
from analysis.factorial_effects import FactorEffect, FactorialEffects, factorial_effects
from analysis.paired import PairedEffect
from analysis.power import holm, seeds_for_sign_flip, smallest_adjusted_p
from analysis.preregistration import preregistration, preregistration_view
from analysis.ranking import ROPE
from analysis.reported import reported_units
from analysis.store import KEYS, Run
from analysis.terminal import many
from analysis.waterfall import FILE as WALK
from analysis.waterfall import Waterfall, waterfalls

TITLES = {CAPACITY: "what its information does: the mechanism on permuted input, capacity held"}


def effects_view(
    run: Run, *, metric: str | None = None, rope: float | None = None
) -> Iterator[RenderableType]:
    """What each arm, factor or step did, and what was preregistered of it.

    Raises UserError for a run whose design has no arms to compare, and for one without numbers.
    """
    known, plan = preregistration(run), run.plan()
    by = (
        criterion(metric) if metric else criterion_of(known.criterion if known else plan.get("objective", ""))
    )
    width = rope if rope is not None else known.rope if known else ROPE
    planned = arms(run)
    families = contrasts(planned)
    if not families and not factors(planned.values()) and not run.document(WALK):
        raise UserError(
            f"{run.path}: its design ({plan.get('design') or 'none'}) names no arms and no base to compare them with; "
            "use `python -m analysis compare` for one key"
        )
    units = every_unit(run)
    if units[by.key].notna().sum() == 0:
        raise UserError(f"{run.path}: no unit has a {by.label} on val_unseen yet")
    yield Text(f"\nEffects in {run.name}: {by.label} on val_unseen", style="bold")
    direction = "higher" if by.higher_is_better else "lower"
    yield Text(
        f"{direction} is better. Paired by fold and seed; a seed is the mean over its folds, t over seeds: for these "
        f"cell lines and loci. No effect: the whole interval within ±{width:g}."
    )
    if metric and known and by.key != criterion_of(known.criterion).key:
        yield Text(f"{by.label} is not the criterion that was preregistered: exploratory", style="yellow")
    if known and width != known.rope:
        yield Text(f"±{width:g} is not the region that was preregistered (±{known.rope:g})", style="yellow")
    if factors(planned.values()):
        yield from _factorial(factorial_effects(planned, units, by, width), width)
    yield from _families(run, units, families, by, width)
    seeds, walks = waterfalls(run, units, by, width)
    for walk in walks:
        yield from _walk(walk, seeds)
    yield from preregistration_view(run)


def every_unit(run: Run) -> pd.DataFrame:
    """Every unit (config, fold, seed) that the run has, with its status and criteria; NaN where it has no number."""
    known = reported_units(run)[[*KEYS, *CRITERIA]]
    units = run.table("units")[[*KEYS, "status"]]
    return units.merge(known, on=KEYS, how="left")


def _families(
    run: Run, units: pd.DataFrame, families: Mapping[str, Sequence[Contrast]], by: Criterion, rope: float
) -> Iterator[RenderableType]:
    results = {family: arm_effects(run, units, members, by, rope) for family, members in families.items()}
    placebo = next(iter(results.get(AA, [])), None)
    for family, effects in results.items():
        if family == AA:
            continue
        yield Text(
            f"\n{family.capitalize()}: {TITLES.get(family, f'each arm minus {_reference(effects)}')}",
            style="bold",
        )
        yield _arm_table(effects, placebo)
        yield _cost_table(effects, rope)
        yield from _notes(effects, placebo, rope)
    if placebo is not None and len(results) == 1:
        yield _arm_table([], placebo)


def _reference(effects: Sequence[ArmEffect]) -> str:
    return ", ".join(dict.fromkeys(each.contrast.reference for each in effects))


def _arm_table(effects: Sequence[ArmEffect], placebo: ArmEffect | None) -> Table:
    table = _table("arm", "change", "95 % interval", "p", "MDE", "verdict")
    for each in effects:
        chance = "" if not within_chance(each, placebo) else " *"
        cells = [
            *_span(each.effect),
            _number(each.p, "{:.2g}"),
            _number(each.detectable),
            each.verdict + chance,
        ]
        table.add_row(Text(each.contrast.name), *cells)
    if placebo is not None:
        table.add_row(
            Text(f"A/A: {placebo.contrast.name}"),
            *_span(placebo.effect),
            "",
            _number(placebo.effect.detectable),
            "chance" if placebo.effect.interval.n else "no result",
            style="dim",
        )
    return table


def _cost_table(effects: Sequence[ArmEffect], rope: float) -> Table:
    table = _table("arm", "parameters", "step time", f"seeds for ±{rope:g}", "left out")
    for each in effects:
        left = [
            many(count, word)
            for count, word in (
                (each.censored, "censored pair"),
                (each.missing, "incomplete pair"),
                (each.unbalanced, "unbalanced pair"),
            )
            if count
        ]
        time = "" if math.isnan(each.step_time) else f"{100 * (each.step_time - 1):+.0f} %"
        needed = "beyond reach" if each.needed is None else str(each.needed)
        if not math.isfinite(each.effect.interval.sd):
            needed = ""
        size = "" if math.isnan(each.parameters) else f"{each.parameters:+,.0f}"
        table.add_row(Text(each.contrast.name), size, time, needed, ", ".join(left))
    return table


def _notes(effects: Sequence[ArmEffect], placebo: ArmEffect | None, rope: float) -> Iterator[RenderableType]:
    family, seeds = len(effects), max(each.effect.interval.n for each in effects)
    yield _dim(
        f"{many(seeds, 'seed')}, {many(max(each.folds for each in effects), 'fold')}. p: paired t-test, Holm over the "
        f"family of {family}; MDE: smallest true difference found with 80 % power at Holm's first step."
    )
    yield from _flip_note(
        [each.p_flip for each in effects], [each.contrast.name for each in effects], seeds, family
    )
    if placebo is not None and any(within_chance(each, placebo) for each in effects):
        yield _dim(
            "*: not larger than the difference of the base to itself under other random streams (A/A)."
        )
    held = [each.contrast.name for each in effects if "capacity not held" in each.contrast.note]
    if held:
        yield _dim(f"removal, capacity not held: {', '.join(held)}")
    short = [e for e in effects if e.verdict == "unknown" and e.effect.interval.verdict(rope) == "equal"]
    if short:
        names = ", ".join(each.contrast.name for each in short)
        yield _dim(
            f"within ±{rope:g} on fewer seeds than that takes (95 % bound of the spread), hence unknown: {names}"
        )
    if any(each.censored for each in effects):
        yield _dim("censored: a unit of the pair was stopped or pruned; its missing epochs are not random.")


def _flip_note(p: Sequence[float], names: Sequence[str], seeds: int, family: int) -> Iterator[RenderableType]:
    if not seeds:
        return
    smallest = smallest_adjusted_p(seeds, family)
    if smallest >= 0.05:
        yield _dim(
            f"sign flip: with {many(seeds, 'seed')} no adjusted p lies below {smallest:.2g}, so none is shown; "
            f"{seeds_for_sign_flip(family)} seeds could go below 0.05."
        )
        return
    said = ", ".join(f"{name} {each:.2g}" for name, each in zip(names, p, strict=True) if math.isfinite(each))
    yield _dim(f"sign flip, exact, adjusted (smallest possible {smallest:.2g}): {said}")


def _factorial(result: FactorialEffects, rope: float) -> Iterator[RenderableType]:
    for title, effects in (
        ("Main effects: mean at + minus mean at -", result.main),
        ("Two-way interactions", result.pairs),
    ):
        if not effects:
            continue
        yield Text(f"\n{title}", style="bold")
        table = _table("factor", "change", "95 % interval", "p", "MDE", "verdict")
        for each in effects:
            cells = [*_span(each.effect), _number(each.p, "{:.2g}"), _number(each.detectable), each.verdict]
            table.add_row(Text(each.name + (" #" if each.mixed else "")), *cells)
        yield table
        yield _dim(
            f"p: t over {many(result.seeds, 'seed')}, Holm over the {len(effects)} of this table; MDE: smallest true "
            "difference found with 80 % power at its first step."
        )
        flips = [each.effect.p_sign_flip for each in effects]
        yield from _factor_flips(flips, effects, result.seeds)
    if any(each.mixed for each in result.main):
        yield _dim("#: parts of two-way interactions are in it (see the aliases of the design).")
    if result.unclear:
        yield _dim(
            f"{many(result.unclear, 'two-way interaction')} cannot be told apart in this design: not shown."
        )
    if result.incomplete:
        yield _dim(
            f"{many(result.incomplete, 'pair')} of fold and seed left out: a run there was cut short or has no number."
        )


def _factor_flips(
    p: Sequence[float], effects: Sequence[FactorEffect], seeds: int
) -> Iterator[RenderableType]:
    yield from _flip_note(holm(list(p), len(effects)), [each.name for each in effects], seeds, len(effects))


def _walk(walk: Waterfall, seeds: Sequence[int]) -> Iterator[RenderableType]:
    yield Text(f"\nPath {walk.title}: reported on seeds {', '.join(map(str, seeds))}", style="bold")
    table = _table("step", "value", "change", "95 % interval", "p", "verdict")
    for fall in walk.falls:
        span = ["", ""] if fall.effect is None else _span(fall.effect)
        table.add_row(Text(fall.name), _number(fall.value), *span, _number(fall.p, "{:.2g}"), fall.verdict)
    yield table
    yield _dim(
        "each step minus the one before, on seeds that did not choose it; p: t over seeds, Holm over the "
        f"{many(max(len(walk.falls) - 1, 0), 'step')}."
    )
    if walk.left_out:
        yield _dim(f"{many(walk.left_out, 'pair')} left out: a unit was stopped or pruned or has no number.")


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(first, overflow="fold", max_width=28)
    for heading in others:
        words = heading in ("verdict", "left out")
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words)
    return table


def _span(effect: PairedEffect) -> list[str]:
    interval = effect.interval
    ends = "" if math.isnan(interval.low) else f"{interval.low:+.4f} to {interval.high:+.4f}"
    return ["" if math.isnan(interval.mean) else f"{interval.mean:+.4f}", ends]


def _number(value: float, form: str = "{:.4f}") -> str:
    return "" if math.isnan(value) else form.format(value)


def _dim(text: str) -> Text:
    return Text(text, style="dim")
