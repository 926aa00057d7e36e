"""How often intervals hold the truth, and how often a family of true nulls has a finding, with Monte Carlo errors."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.coverage.worlds import ClusteredPairs, Draw, skewed
from analysis.folds import corrected_interval
from analysis.intervals import Interval, t_interval
from analysis.paired import t_test_p
from analysis.power import ALPHA

SEEDS = (3, 5, 10)
CORRELATIONS = (0.0, 0.1, 0.2, 0.3)
REPLICATES = 2000
FEWEST = 100
"""Replicates below which a share says nothing."""
MOST = 20_000
"""Replicates above which they do not fit into memory."""
WORLDS = 10
"""Experiments (lines, loci, pairs) over which the replicates of seeds are spread."""
TRUTH = 5_000
"""Seeds whose mean is the truth of a world."""


@dataclass(frozen=True)
class Share:
    """A share of replicates: `what` of which `cell`, and its Monte Carlo standard error."""

    what: str
    cell: str
    share: float
    error: float


def seed_coverage(replicates: int = REPLICATES, seeds: Sequence[int] = SEEDS, start: int = 0) -> list[Share]:
    """Coverage of `t_interval` over seeds of AUPR on clustered pairs, and of seeds with skewed effects: the truth is the
    mean over all seeds on these lines and loci."""
    kinds: dict[str, Callable[[np.random.Generator], Draw]] = {
        "seeds, AUPR of clustered pairs": ClusteredPairs().seeds,
        "seeds, skewed effects": lambda _: skewed(),
    }
    result = []
    for name, made in kinds.items():
        inside: dict[int, list[bool]] = {count: [] for count in seeds}
        for world in range(WORLDS):
            random = np.random.default_rng([start, world])
            draw = made(random)
            truth = float(draw(random, TRUTH).mean())
            for count in seeds:
                values = draw(random, replicates // WORLDS * count).reshape(-1, count)
                inside[count] += [_holds(t_interval(row), truth) for row in values]
        result += [_share(name, f"{count} seeds", each) for count, each in inside.items()]
    return result


def fold_coverage(
    replicates: int = REPLICATES,
    folds: int = 6,
    correlations: Sequence[float] = CORRELATIONS,
    start: int = 0,
) -> list[Share]:
    """Coverage of a plain t and of the corrected one over the folds of leave-one-cell-line-out; the truth is a new line in
    a new experiment."""
    share = 1 / (folds - 2)
    kinds: dict[str, Callable[[np.ndarray], Interval]] = {
        "folds, plain t": t_interval,
        "folds, corrected t": lambda row: corrected_interval(row, share),
    }
    result = []
    for correlation in correlations:
        random = np.random.default_rng([start, folds, int(100 * correlation)])
        draw = ClusteredPairs().folds(correlation, folds)
        truth = float(draw(random, TRUTH).mean())
        values = draw(random, replicates)
        for name, interval in kinds.items():
            inside = [_holds(interval(row), truth) for row in values]
            result.append(_share(name, f"{folds} folds, correlation {correlation:g}", inside))
    return result


def family_error(replicates: int = REPLICATES, arms: int = 7, seeds: int = 5, start: int = 0) -> list[Share]:
    """How often a family of arms that do nothing has at least one adjusted p below 0.05 (paired t, Holm): arms and base are
    drawn on the same pairs, or with skewed effects."""
    result = []
    for name, draws in (
        ("AUPR of clustered pairs", ClusteredPairs().seeds),
        ("skewed effects", lambda _: skewed()),
    ):
        random = np.random.default_rng([start, arms, seeds])
        findings = []
        for world in range(WORLDS):
            draw = draws(np.random.default_rng([start, world]))
            each = replicates // WORLDS
            values = draw(random, each * (arms + 1) * seeds).reshape(each, arms + 1, seeds)
            findings += [_found(row) for row in values]
        result.append(_share(f"family-wise error, {name}", f"{arms} arms, {seeds} seeds", findings))
    return result


def _found(values: np.ndarray) -> bool:
    # Holm's first step: one of them is below 0.05 after it exactly where the smallest is below 0.05 / arms.
    p = [t_test_p(row - values[0]) for row in values[1:]]
    return min(p) < ALPHA / len(p)


def _holds(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def _share(what: str, cell: str, hits: Sequence[bool]) -> Share:
    share, number = float(np.mean(hits)), len(hits)
    # Agresti and Coull's plus four: where all replicates agree, the error is not nothing.
    middle = (share * number + 2) / (number + 4)
    return Share(what, cell, share, math.sqrt(middle * (1 - middle) / (number + 4)))
