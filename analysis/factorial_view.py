"""The effects of a factorial's factors as tables that fit 80 columns."""

import math
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from analysis.effect_table import dim, effect_table, flip_note, number, range_text, span
from analysis.factorial_effects import FactorEffect, FactorialEffects
from analysis.power import holm
from analysis.terminal import many


def factorial_view(result: FactorialEffects, rope: float) -> Iterator[RenderableType]:
    """Main effects, then what the design says of two-way interactions, and what it does not."""
    together = "Two-way interactions" if not result.sums else "Two-way interactions and aliased sums of them"
    for title, effects in (
        ("Main effects: mean at + minus mean at -", result.main),
        (f"{together}: exploratory, a family of their own", result.pairs),
    ):
        if effects:
            yield Text(f"\n{title}", style="bold")
            yield from _effects(effects, result, rope)
    if any(each.mixed for each in result.main):
        yield dim("#: parts of two-way interactions are in it (see the aliases of the design).")
    if result.sums:
        yield dim("A sum is one contrast: the design does not tell which of its interactions acts.")
    if result.unclear:
        why = "main effects have parts of them (resolution III, Plackett-Burman)"
        why = why if any(each.mixed for each in result.main) else "they cannot be told apart in this design"
        yield dim(f"{many(result.unclear, 'two-way interaction')} not reported: {why}.")
    if result.incomplete:
        yield dim(
            f"{many(result.incomplete, 'pair')} of fold and seed left out: a run there was cut short or has no number."
        )


def _effects(
    effects: Sequence[FactorEffect], result: FactorialEffects, rope: float
) -> Iterator[RenderableType]:
    table = effect_table("factor", "change", "95 % interval", "p", "TOST", "MDE", "verdict")
    for each in effects:
        tests = [number(p, "{:.2g}") for p in (each.p, each.p_equivalent)]
        cells = [*span(each.effect), *tests, number(each.detectable), each.verdict]
        table.add_row(Text(each.name + (" #" if each.mixed else "")), *cells)
    yield table
    yield dim(
        f"p: t over {many(result.seeds, 'seed')}, Holm over the {len(effects)} of this table; TOST: the larger p of two "
        f"one-sided tests against ±{rope:g}, each alone; MDE: smallest true difference found with 80 % power at Holm's "
        "first step."
    )
    flips = holm([each.effect.p_sign_flip for each in effects], len(effects))
    yield from flip_note(flips, [each.name for each in effects], result.seeds, len(effects))
    if not math.isnan(effects[0].low):
        said = "; ".join(f"{each.name} {range_text(each.low, each.high)}" for each in effects)
        yield dim(
            f"{many(result.censored, 'pair')} of fold and seed with a run that was stopped or pruned, hence unknown; "
            f"whatever it would have reached: {said}"
        )
