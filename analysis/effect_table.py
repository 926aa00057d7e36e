"""What the tables of effects share: columns, numbers, and the line on the sign-flip test."""

import math
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.intervals import Interval
from analysis.paired import MOST_FLIPPED, PairedEffect
from analysis.power import ALPHA, seeds_for_sign_flip, smallest_adjusted_p
from analysis.terminal import many

WORDS = ("verdict",)
"""Columns of words: to the left, folded."""


def effect_table(first: str, *others: str) -> Table:
    """An empty table: names first, then numbers, then words."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(first, overflow="fold", max_width=28)
    for heading in others:
        words = heading in WORDS
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words)
    return table


def span(effect: PairedEffect) -> list[str]:
    """[mean, 95 % interval] of an effect; empty where there is none."""
    return ends(effect.interval)


def ends(interval: Interval) -> list[str]:
    """[mean, low to high]; empty where there is none."""
    text = "" if math.isnan(interval.low) else f"{interval.low:+.4f} to {interval.high:+.4f}"
    return ["" if math.isnan(interval.mean) else f"{interval.mean:+.4f}", text]


def range_text(low: float, high: float) -> str:
    """`between -0.1 and +0.3`; open ends in words."""
    if math.isinf(low) and math.isinf(high):
        return "anywhere"
    if math.isinf(high):
        return f"above {low:+.3f}"
    return f"below {high:+.3f}" if math.isinf(low) else f"between {low:+.3f} and {high:+.3f}"


def number(value: float, form: str = "{:.4f}") -> str:
    """Empty for NaN."""
    return "" if math.isnan(value) else form.format(value)


def dim(text: str) -> Text:
    return Text(text, style="dim")


def flip_note(p: Sequence[float], names: Sequence[str], seeds: int, family: int) -> Iterator[RenderableType]:
    """The exact sign-flip test in a line: adjusted p by name, or how many seeds it takes."""
    if not seeds:
        return
    smallest = smallest_adjusted_p(seeds, family)
    if seeds > MOST_FLIPPED:
        yield dim(f"sign flip: not done with more than {MOST_FLIPPED} seeds.")
        return
    if smallest >= ALPHA:
        yield dim(
            f"sign flip: with {many(seeds, 'seed')} no adjusted p lies below {smallest:.2g}, so none is shown; "
            f"{seeds_for_sign_flip(family)} seeds could go below {ALPHA:g}."
        )
        return
    said = ", ".join(
        f"{name} {f'{each:.2g}' if math.isfinite(each) else 'too few seeds'}"
        for name, each in zip(names, p, strict=True)
    )
    yield dim(f"sign flip, exact, adjusted (smallest possible {smallest:.2g}): {said}")
