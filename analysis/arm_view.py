"""The effects of a design's arms as tables that fit 80 columns."""

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from rich.console import RenderableType
from rich.text import Text

from analysis.arm_effects import ArmEffect, arm_effects, differs_from_itself, within_chance
from analysis.contrasts import AA, CAPACITY, Contrast
from analysis.criteria import Criterion
from analysis.effect_table import dim, effect_table, ends, flip_note, number, range_text, span
from analysis.equivalence import equivalence_p
from analysis.folds import MEASURED
from analysis.power import ALPHA
from analysis.store import Run
from analysis.terminal import many

TITLES = {CAPACITY: "what its information does: the mechanism on permuted input, capacity held"}


def arms_view(
    run: Run,
    units: pd.DataFrame,
    families: Mapping[str, Sequence[Contrast]],
    by: Criterion,
    rope: float,
    registered: int = 0,
) -> Iterator[RenderableType]:
    """A table per kind of contrast, the A/A placebo beside, and what the whole family's numbers are; at least so many as
    were `registered` count for Holm."""
    members = [each for family, some in families.items() if family != AA for each in some]
    chance = families.get(AA, ())
    effects = arm_effects(run, units, members, by, rope, registered)
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
        if max(each.over_folds.n for each in shown) > 1:
            yield Text(f"for a new cell line: corrected t over {many(shown[0].pairs.folds, 'fold')}")
            yield _fold_table(shown)
        for each in shown:
            if each.pairs.censored:
                yield dim(_bounds(each))
    yield from _notes(effects, placebo, rope)


def _reference(effects: Sequence[ArmEffect]) -> str:
    return ", ".join(dict.fromkeys(each.contrast.reference for each in effects))


def _effect_table(effects: Sequence[ArmEffect], placebo: ArmEffect | None) -> RenderableType:
    table = effect_table("arm", "change", "95 % interval", "p", "MDE", "verdict")
    for each in effects:
        chance = " *" if within_chance(each, placebo) else ""
        cells = [
            *span(each.effect),
            number(each.p, "{:.2g}"),
            number(each.detectable),
            arm_word(each, placebo) + chance,
        ]
        table.add_row(Text(each.contrast.name), *cells)
    if placebo is not None:
        table.add_row(
            Text(f"A/A: {placebo.contrast.name}"),
            *span(placebo.effect),
            number(placebo.effect.p_t, "{:.2g}"),
            number(placebo.effect.detectable),
            _chance(placebo),
            style="yellow" if differs_from_itself(placebo) else "dim",
        )
    return table


def _other_table(effects: Sequence[ArmEffect], rope: float) -> RenderableType:
    table = effect_table(
        "arm", "Dunnett", "TOST", "P(better)", f"seeds for\n±{rope:g}", "parameters", "step\ntime"
    )
    for each in effects:
        time = "" if math.isnan(each.step_time) else f"{100 * (each.step_time - 1):+.0f} %"
        needed = "beyond reach" if each.needed is None else str(each.needed)
        if not math.isfinite(each.effect.interval.sd) or each.effect.interval.sd == 0:
            needed = ""
        elif each.needed is not None and each.needed <= each.effect.interval.n and each.verdict == "unknown":
            needed = f"over {each.effect.interval.n}"
        size = "" if math.isnan(each.parameters) else f"{each.parameters:+,.0f}"
        tests = [number(p, "{:.2g}") for p in (each.p_dunnett, each.p_equivalent)]
        table.add_row(Text(each.contrast.name), *tests, number(each.improves, "{:.2f}"), needed, size, time)
    return table


def _fold_table(effects: Sequence[ArmEffect]) -> RenderableType:
    table = effect_table("arm", "change", "interval over folds")
    for each in effects:
        table.add_row(Text(each.contrast.name), *ends(each.over_folds))
    return table


def arm_word(effect: ArmEffect, placebo: ArmEffect | None) -> str:
    """The verdict; what is not larger than the A/A difference is no finding."""
    chance = within_chance(effect, placebo)
    return "unknown" if chance and effect.verdict in ("better", "worse") else effect.verdict


def _chance(placebo: ArmEffect) -> str:
    if not placebo.effect.interval.n:
        return "no result"
    return "not chance" if differs_from_itself(placebo) else "chance"


def _bounds(effect: ArmEffect) -> str:
    pairs = effect.pairs
    return (
        f"{effect.contrast.name}: unknown, {many(pairs.censored, 'censored pair')} (a unit was stopped or pruned, and what "
        f"it would have reached is not known); whatever it is, the change lies {range_text(pairs.low, pairs.high)}"
    )


def _notes(effects: Sequence[ArmEffect], placebo: ArmEffect | None, rope: float) -> Iterator[RenderableType]:
    family, seeds = effects[0].family, max(each.effect.interval.n for each in effects)
    folds = max(each.pairs.folds for each in effects)
    yield dim(
        f"{many(seeds, 'seed')}, {many(folds, 'fold')}. p: paired t-test, Holm over the "
        f"family of {family}; MDE: smallest true difference found with 80 % power at Holm's first step; Dunnett: all arms "
        "against their reference at once, one spread for all; TOST: the larger p of two one-sided tests against "
        f"±{rope:g}, each alone; P(better): over seeds."
    )
    if max(each.over_folds.n for each in effects) > 1:
        yield dim(f"over folds (Nadeau and Bengio): {MEASURED}")
    yield from flip_note(
        [each.p_flip for each in effects], [each.contrast.name for each in effects], seeds, family
    )
    if placebo is not None and any(within_chance(each, placebo) for each in effects):
        yield dim("*: not larger than the difference of the base to itself under other random streams (A/A).")
    if placebo is not None and differs_from_itself(placebo):
        yield Text(
            f"The base differs from itself under other random streams (A/A, p {placebo.effect.p_t:.2g}): 1 of 20 does by "
            "chance; otherwise something other than a mechanism acts, and no arm's difference is its mechanism's.",
            style="yellow",
        )
    held = [each.contrast.name for each in effects if "capacity not held" in each.contrast.note]
    if held:
        yield dim(f"removal, capacity not held: {', '.join(held)}")
    short = [
        each.contrast.name
        for each in effects
        if each.verdict == "unknown"
        and not each.pairs.censored
        and equivalence_p(each.effect.interval, rope) < ALPHA
        and each.effect.interval.sd > 0
    ]
    if short:
        yield dim(
            f"within ±{rope:g} on fewer seeds than that takes (95 % bound of the spread), hence unknown: {', '.join(short)}"
        )
    agree = [each.contrast.name for each in effects if each.effect.interval.sd == 0]
    if agree:
        yield dim(
            f"every seed gave the same difference, which says nothing of their spread: {', '.join(agree)}"
        )
    for word, counts in (
        ("incomplete", [(each.contrast.name, each.pairs.missing) for each in effects]),
        ("unbalanced", [(each.contrast.name, each.pairs.unbalanced) for each in effects]),
    ):
        left = ", ".join(f"{name} {count}" for name, count in counts if count)
        if left:
            yield dim(f"{word} pairs of fold and seed left out: {left}")
