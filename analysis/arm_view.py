"""The effects of a design's arms as tables that fit 80 columns."""

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from rich.console import RenderableType
from rich.text import Text

from analysis.arm_effects import ArmEffect, arm_effects, within_chance
from analysis.contrasts import AA, CAPACITY, Contrast
from analysis.criteria import Criterion
from analysis.effect_table import dim, effect_table, flip_note, number, range_text, span
from analysis.equivalence import equivalence_p
from analysis.power import ALPHA
from analysis.store import Run
from analysis.terminal import many

TITLES = {CAPACITY: "what its information does: the mechanism on permuted input, capacity held"}


def arms_view(
    run: Run, units: pd.DataFrame, families: Mapping[str, Sequence[Contrast]], by: Criterion, rope: float
) -> Iterator[RenderableType]:
    """A table per kind of contrast, the A/A placebo beside, and what the whole family's numbers are."""
    members = [each for family, some in families.items() if family != AA for each in some]
    chance = families.get(AA, ())
    effects = arm_effects(run, units, members, by, rope)
    placebo = next(iter(arm_effects(run, units, chance, by, rope)), None)
    if not effects:
        yield _effect_table([], placebo)
        return
    for family in dict.fromkeys(each.contrast.family for each in effects):
        shown = [each for each in effects if each.contrast.family == family]
        yield Text(
            f"\n{family.capitalize()}: {TITLES.get(family, f'each arm minus {_reference(shown)}')}",
            style="bold",
        )
        yield _effect_table(shown, placebo)
        yield _other_table(shown, rope)
        for each in shown:
            if each.pairs.censored:
                yield dim(_bounds(each))
    yield from _notes(effects, placebo, rope)


def _reference(effects: Sequence[ArmEffect]) -> str:
    return ", ".join(dict.fromkeys(each.contrast.reference for each in effects))


def _effect_table(effects: Sequence[ArmEffect], placebo: ArmEffect | None) -> RenderableType:
    table = effect_table("arm", "change", "95 % interval", "p", "MDE", "verdict")
    for each in effects:
        chance = "" if not within_chance(each, placebo) else " *"
        cells = [
            *span(each.effect),
            number(each.p, "{:.2g}"),
            number(each.detectable),
            each.verdict + chance,
        ]
        table.add_row(Text(each.contrast.name), *cells)
    if placebo is not None:
        table.add_row(
            Text(f"A/A: {placebo.contrast.name}"),
            *span(placebo.effect),
            "",
            number(placebo.effect.detectable),
            "chance" if placebo.effect.interval.n else "no result",
            style="dim",
        )
    return table


def _other_table(effects: Sequence[ArmEffect], rope: float) -> RenderableType:
    table = effect_table(
        "arm", "Dunnett", "TOST", "P(better)", f"seeds for\n±{rope:g}", "parameters", "step\ntime"
    )
    for each in effects:
        time = "" if math.isnan(each.step_time) else f"{100 * (each.step_time - 1):+.0f} %"
        needed = "beyond reach" if each.needed is None else str(each.needed)
        if not math.isfinite(each.effect.interval.sd):
            needed = ""
        size = "" if math.isnan(each.parameters) else f"{each.parameters:+,.0f}"
        tests = [number(p, "{:.2g}") for p in (each.p_dunnett, each.p_equivalent)]
        table.add_row(Text(each.contrast.name), *tests, number(each.improves, "{:.2f}"), needed, size, time)
    return table


def _bounds(effect: ArmEffect) -> str:
    pairs = effect.pairs
    return (
        f"{effect.contrast.name}: unknown, {many(pairs.censored, 'censored pair')} (a unit was stopped or pruned, and what "
        f"it would have reached is not known); whatever it is, the change lies {range_text(pairs.low, pairs.high)}"
    )


def _notes(effects: Sequence[ArmEffect], placebo: ArmEffect | None, rope: float) -> Iterator[RenderableType]:
    family, seeds = len(effects), max(each.effect.interval.n for each in effects)
    folds = max(each.pairs.folds for each in effects)
    yield dim(
        f"{many(seeds, 'seed')}, {many(folds, 'fold')}. p: paired t-test, Holm over the "
        f"family of {family}; MDE: smallest true difference found with 80 % power at Holm's first step; Dunnett: all arms "
        "against their reference at once, one spread for all; TOST: the larger p of two one-sided tests against "
        f"±{rope:g}, each alone; P(better): over seeds."
    )
    yield from flip_note(
        [each.p_flip for each in effects], [each.contrast.name for each in effects], seeds, family
    )
    if placebo is not None and any(within_chance(each, placebo) for each in effects):
        yield dim("*: not larger than the difference of the base to itself under other random streams (A/A).")
    held = [each.contrast.name for each in effects if "capacity not held" in each.contrast.note]
    if held:
        yield dim(f"removal, capacity not held: {', '.join(held)}")
    short = [
        each.contrast.name
        for each in effects
        if each.verdict == "unknown"
        and not each.pairs.censored
        and equivalence_p(each.effect.interval, rope) < ALPHA
    ]
    if short:
        yield dim(
            f"within ±{rope:g} on fewer seeds than that takes (95 % bound of the spread), hence unknown: {', '.join(short)}"
        )
    for word, counts in (
        ("incomplete", [(each.contrast.name, each.pairs.missing) for each in effects]),
        ("unbalanced", [(each.contrast.name, each.pairs.unbalanced) for each in effects]),
    ):
        left = ", ".join(f"{name} {count}" for name, count in counts if count)
        if left:
            yield dim(f"{word} pairs of fold and seed left out: {left}")
