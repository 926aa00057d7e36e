"""When a difference is one, when there is none that matters, and when nothing can be said."""

import math

from scipy.special import stdtr

from analysis.criteria import Criterion
from analysis.intervals import Interval
from analysis.power import ALPHA, DEFAULT_SD, largest_sd, seeds_for_equivalence


def equivalence_p(interval: Interval, rope: float) -> float:
    """The larger p of the two one-sided t-tests (TOST) of a mean difference against -rope and +rope: below 0.05 exactly
    where the 90 % interval lies within the region. NaN for fewer than 2 units; without any spread 0 within the
    region, else 1."""
    if interval.n < 2 or not math.isfinite(interval.mean):
        return math.nan
    error = interval.sd / math.sqrt(interval.n)
    if error == 0:
        return 0.0 if abs(interval.mean) < rope else 1.0
    return float(stdtr(interval.n - 1, (abs(interval.mean) - rope) / error))


def seeds_needed(spread: float, by: Criterion, rope: float, *, runs: int = 2) -> int | None:
    """Seeds that a verdict of no effect within +-rope takes at this SD of a contrast over so many `runs` (2: one arm minus
    another). An AUPR is taken to spread at least as on real pairs (0.008 between two: 24 seeds for +-0.005): few seeds on
    few pairs agree by chance."""
    usual = DEFAULT_SD * math.sqrt(2 / runs)
    least = usual if by.higher_is_better else 0.0
    return seeds_for_equivalence(max(spread, least) or usual, rope) if math.isfinite(spread) else None


def verdict(
    interval: Interval, p: float, by: Criterion, rope: float, *, censored: bool = False, runs: int = 2
) -> str:
    """no effect: two one-sided tests at 5 % place the difference within +-rope, and there are as many seeds as that takes
    at the largest SD that they are compatible with (`seeds_needed`); better, worse: the 95 % interval lies on one side of
    0 and the adjusted p below 0.05; unknown: anything else, and wherever a pair was censored, whose missing epochs are
    not random."""
    if censored:
        return "unknown"
    if equivalence_p(interval, rope) < ALPHA:
        needed = seeds_needed(largest_sd(interval.sd, interval.n), by, rope, runs=runs)
        return "no effect" if needed is not None and interval.n >= needed else "unknown"
    if not (interval.low > 0 or interval.high < 0) or not p < ALPHA:
        return "unknown"
    return "better" if by.gain(interval.mean) > 0 else "worse"
