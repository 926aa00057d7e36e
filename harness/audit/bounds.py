"""Bounds on what chance does, so that nothing sound is ever accused of it."""

import math

BY_CHANCE = 1e-10
"""Probability below which something did not happen by chance, however often it was looked at."""


def is_deviation(gap: float, variance: float, largest: float = 1.0) -> bool:
    """Whether a sum of draws, none of them farther than `largest` from its expectation, is by `gap` off its own where the
    variances add up to at most `variance`: Freedman's inequality, P <= 2 exp(-gap^2 / (2 (variance + largest gap / 3)))."""
    gap = abs(gap)
    return gap > 0 and gap**2 / (2 * (variance + largest * gap / 3)) > math.log(2 / BY_CHANCE)


def is_other_share(count: float, draws: float, chance: float) -> bool:
    """Whether `count` of `draws` does not come of a `chance`: Chernoff's bound, P <= 2 exp(-draws KL(share, chance))."""
    if draws == 0 or not 0 < chance < 1:
        return False
    share = count / draws
    parts = ((share, chance), (1 - share, 1 - chance))
    divergence = sum(q * math.log(q / p) for q, p in parts if q > 0)
    return draws * divergence > math.log(2 / BY_CHANCE)


def is_omission(missing: int, size: int, log_miss: float) -> bool:
    """Whether `missing` of `size` things, each left out with log-probability `log_miss`, are left out together: the union
    over all choices of so many, C(size, missing) exp(missing log_miss)."""
    if missing == 0:
        return False
    return log_choices(size, missing) + missing * log_miss < math.log(BY_CHANCE)


def log_choices(size: int, count: int) -> float:
    """log C(size, count), for 0 <= count <= size."""
    return math.lgamma(size + 1) - math.lgamma(count + 1) - math.lgamma(size - count + 1)


def log_orders(size: int, count: int) -> float:
    """log of the number of ordered choices, size! / (size - count)!, for 0 <= count <= size."""
    return math.lgamma(size + 1) - math.lgamma(size - count + 1)
