"""A comparison as text for a terminal."""

import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.effects import Comparison
from analysis.folds import MEASURED
from analysis.intervals import Interval
from analysis.paired import PairedEffect
from analysis.terminal import many


def comparison_view(comparison: Comparison, rope: float) -> Iterator[RenderableType]:
    """The question, one line of numbers over seeds (and folds), the verdict in a sentence."""
    by, pairs = comparison.by, comparison.pairs
    yield Text(f"\n{comparison.key}: {comparison.b} - {comparison.a}", style="bold")
    direction = "positive" if by.higher_is_better else "negative"
    folds, seeds = pairs["fold"].nunique(), pairs["seed"].nunique()
    designs = len(pairs[["config_a", "config_b"]].drop_duplicates())
    yield Text(
        f"{by.label} on {comparison.split}{' (reporting only)' if comparison.split == 'test' else ''}; "
        f"{direction} favours {comparison.b}. Paired by fold and seed, all other keys equal: "
        f"{many(designs, 'pair')} of configurations x {many(folds, 'fold')} x {many(seeds, 'seed')}."
    )
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for heading in (
        "over",
        comparison.a,
        comparison.b,
        "difference",
        "95 % interval",
        "p (t)",
        "p (sign flip)",
        "detectable",
    ):
        table.add_column(heading, justify="left" if heading == "over" else "right", no_wrap=True)
    means = f"{pairs['a'].mean():.4f}", f"{pairs['b'].mean():.4f}"
    table.add_row(f"{seeds} seeds", *means, *_row(comparison.effect))
    if folds > 1:
        table.add_row(f"{folds} folds", *means, *_span(comparison.folds))
    yield table
    yield Text(verdict(comparison, rope), style="bold")
    notes = ["detectable: smallest true difference found with 80 % power at 5 % given this spread"]
    smallest = comparison.effect.p_smallest
    if math.isnan(comparison.effect.p_sign_flip):
        notes.append(f"sign flip: {seeds} seeds cannot give a p below {smallest:.3g}, so none is shown")
    else:
        notes.append(f"smallest p that the sign-flip test can give here: {smallest:.3g}")
    if folds > 1:
        notes.append(f"folds: corrected t (Nadeau and Bengio), without a test of its own; {MEASURED}")
    notes.append("over seeds answers for these cell lines, over folds for a new one; neither covers new loci")
    span, interval = by.highest - by.lowest, comparison.effect.interval
    if interval.low < -span or interval.high > span:
        notes.append(
            f"the interval reaches beyond ±{span:g}, all that a difference in {by.label} can be (not clipped): "
            f"{seeds} seeds bound little"
        )
    if comparison.censored:
        notes.append(
            f"{comparison.censored} pairs are left out: they hold a stopped or pruned unit, whose missing epochs are not "
            "random"
        )
    if comparison.unbalanced:
        notes.append(
            f"{comparison.unbalanced} pairs are left out: not every seed has finished that fold and configuration"
        )
    if comparison.mixed:
        notes.append("the seeds have no fold and configuration in common: each one's mean is over others")
    for note in notes:
        yield Text(note, style="dim")


def verdict(comparison: Comparison, rope: float) -> str:
    """One sentence: which is better, no effect within the region of practical equivalence, or unknown."""
    by, interval = comparison.by, comparison.effect.interval
    sign = interval.verdict(rope)
    if sign == "equal":
        return f"No effect: the whole interval lies within ±{rope:g} of {by.label}."
    if sign == "unknown":
        size = comparison.effect.detectable
        if size != size:
            return "Unknown: one seed has no interval."
        return (
            f"Unknown: the interval allows both signs; with {interval.n} seeds differences below about {size:.3f} "
            "cannot be seen."
        )
    better = (sign == "better") == by.higher_is_better
    winner, loser = (comparison.b, comparison.a) if better else (comparison.a, comparison.b)
    return f"{winner} is better than {loser} in {by.label} by {abs(interval.mean):.4f}."


def _span(interval: Interval) -> list[str]:
    ends = "" if math.isnan(interval.low) else f"{interval.low:+.4f} to {interval.high:+.4f}"
    return [f"{interval.mean:+.4f}", ends]


def _row(effect: PairedEffect) -> list[str]:
    return [
        *_span(effect.interval),
        "" if math.isnan(effect.p_t) else f"{effect.p_t:.2g}",
        "" if math.isnan(effect.p_sign_flip) else f"{effect.p_sign_flip:.2g}",
        "" if math.isnan(effect.detectable) else f"{effect.detectable:.4f}",
    ]
