"""What a number of paired seeds can see: detectable differences, smallest p, and the seeds that a verdict needs."""

import math
from functools import lru_cache

from scipy import special

ALPHA, POWER = 0.05, 0.8
"""Error rate of a family, and the power that is asked for."""
DEFAULT_SD = 0.008
"""SD of a paired difference between seeds, in macro AUPR: 0.007 to 0.009 on real enhancer-promoter pairs (unseen cell lines
and loci, six cell lines, five chromosome folds)."""
MOST_SEEDS = 100_000
"""Beyond it a number of seeds is as good as none."""


def t_power(shift: float, seeds: int, level: float) -> float:
    """Power of a two-sided paired t-test at `level` where the difference is `shift` SDs, by the noncentral t. At the
    shifts that 2 or 3 seeds take scipy (and statsmodels, which uses it) gives NaN for that; there it is the same by its
    definition, E over s of P(|mean| > t s / sqrt(n)), (n-1) s^2 ~ chi^2(n-1)."""
    from scipy import integrate, stats

    freedom, far = seeds - 1, shift * math.sqrt(seeds)
    critical = float(stats.t.ppf(1 - level / 2, freedom))
    closed = float(stats.nct.sf(critical, freedom, far) + stats.nct.cdf(-critical, freedom, far))
    if math.isfinite(closed):
        return closed
    spread = stats.chi(freedom, scale=1 / math.sqrt(freedom))

    def beyond(tail: float) -> float:
        # tail is the distribution function of s, so that the integral runs over [0, 1] whatever the spread.
        reach = critical * float(spread.ppf(tail))
        return float(special.ndtr(far - reach) + special.ndtr(-far - reach))

    return float(integrate.quad(beyond, 0, 1, limit=200)[0])


@lru_cache
def detectable(
    sd: float, seeds: int, family: int = 1, *, alpha: float = ALPHA, power: float = POWER
) -> float:
    """Smallest true difference, in the units of `sd`, that a two-sided paired t-test over `seeds` finds with `power` at
    alpha / family: the level of the first, strictest step of Holm. NaN below 2 seeds, and without spread: that says
    nothing of what could be seen."""
    if seeds < 2 or not math.isfinite(sd) or sd == 0:
        return math.nan
    return sd * _smallest_shift(seeds, alpha / family, power)


@lru_cache
def _smallest_shift(seeds: int, level: float, power: float) -> float:
    from scipy import optimize

    high = 1.0
    while t_power(high, seeds, level) < power:
        high *= 2
    return float(optimize.brentq(lambda shift: t_power(shift, seeds, level) - power, 0, high, xtol=1e-6))


def largest_sd(sd: float, seeds: int, level: float = 0.95) -> float:
    """Upper bound of the SD that `seeds` differences of SD `sd` are compatible with: sd sqrt((n-1) / chi^2_{1-level}(n-1)).
    Two seeds that agree by chance bound little."""
    if seeds < 2:
        return math.nan
    return sd * math.sqrt((seeds - 1) / float(2 * special.gammaincinv((seeds - 1) / 2, 1 - level)))


def smallest_adjusted_p(seeds: int, family: int = 1) -> float:
    """Smallest p of the exact sign-flip test over `seeds`, 2 / 2^n, after Holm in a family of so many: at most 1."""
    return min(1.0, family * 2.0 ** (1 - seeds)) if seeds > 0 else math.nan


@lru_cache
def seeds_for_sign_flip(family: int = 1, *, alpha: float = ALPHA) -> int:
    """Fewest seeds whose smallest adjusted p lies below alpha."""
    return next(n for n in range(1, MOST_SEEDS) if smallest_adjusted_p(n, family) < alpha)


def equivalence_power(sd: float, seeds: int, rope: float, *, alpha: float = ALPHA) -> float:
    """Probability that two one-sided tests at alpha each (the 1 - 2 alpha interval within +-rope) say that there is no
    difference where there is none: E over s of P(|mean| <= rope - t s / sqrt(n)), mean ~ N(0, sd^2 / n),
    (n-1) s^2 / sd^2 ~ chi^2(n-1)."""
    if seeds < 2:
        return 0.0
    if sd == 0:
        return 1.0
    from scipy import integrate, stats

    freedom, scale = seeds - 1, sd / math.sqrt(seeds)
    quantile = float(stats.t.ppf(1 - alpha, freedom))
    widest = rope / scale / quantile
    spread = stats.chi(freedom, scale=1 / math.sqrt(freedom))

    def covered(s: float) -> float:
        return float(2 * stats.norm.cdf(rope / scale - quantile * s) - 1) * float(spread.pdf(s))

    low, high = (min(float(spread.ppf(tail)), widest) for tail in (1e-9, 1 - 1e-9))
    return float(integrate.quad(covered, low, high)[0])


@lru_cache
def seeds_for_equivalence(
    sd: float, rope: float, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Fewest seeds with which no difference is called one within +-rope with `power`; None beyond 100000, or for a
    region without width."""
    if rope <= 0 or not math.isfinite(sd):
        return None
    high = 2
    while equivalence_power(sd, high, rope, alpha=alpha) < power:
        high *= 2
        if high > MOST_SEEDS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if equivalence_power(sd, middle, rope, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high


def seeds_for_difference(sd: float, difference: float) -> int | None:
    """Fewest seeds whose `detectable` difference is at most this one; 2 without any spread, None beyond 100000, or where
    spread or difference is not known."""
    if sd == 0 and difference > 0:
        return 2
    if not difference > 0 or not math.isfinite(sd):
        return None
    high = 2
    while detectable(sd, high) > difference:
        high *= 2
        if high > MOST_SEEDS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if detectable(sd, middle) > difference else (low, middle)
    return high


def holm(p: list[float], family: int, *, alpha: float = ALPHA) -> list[float]:
    """Holm-adjusted p of the members of a family of `family` comparisons; those that are missing, and NaN here, count as
    1."""
    from statsmodels.stats.multitest import multipletests

    known = [1.0 if math.isnan(each) else each for each in p]
    padded = known + [1.0] * (family - len(known))
    if not padded:
        return []
    adjusted = multipletests(padded, alpha=alpha, method="holm")[1][: len(p)]
    return [math.nan if math.isnan(each) else float(new) for each, new in zip(p, adjusted, strict=True)]
