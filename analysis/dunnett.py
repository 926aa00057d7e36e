"""Many arms against one base on the same seeds: Dunnett's test in complete blocks."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

_DRAWS = 5_000
"""Points of the integral: its error is then below 1e-3."""


def dunnett_p(differences: ArrayLike) -> np.ndarray:
    """Two-sided p [arms] of each arm against the base, corrected for all arms at once; differences [arms, seeds] from the
    base.

    Seeds are blocks: with the base as a row of zeros beside the arms, s^2 is the residual mean square after arms and
    seeds, at k (n - 1) degrees of freedom, t_i = mean_i / sqrt(2 s^2 / n), and p_i = 1 - P(max |T| <= |t_i|) of the
    multivariate t with correlations 1/2 (Dunnett 1955). scipy's `dunnett` takes independent samples. One arm gives
    the paired t-test. It takes all differences to have one variance; Holm over paired t-tests does not. NaN for fewer
    than 2 seeds, for differences that are not all known, and where nothing varies.
    """
    sample = np.atleast_2d(np.asarray(differences, dtype=np.float64))
    arms, seeds = sample.shape
    if seeds < 2 or arms < 1 or not np.isfinite(sample).all():
        return np.full(arms, np.nan)
    blocks = np.vstack([np.zeros(seeds), sample])
    residual = blocks - blocks.mean(1, keepdims=True) - blocks.mean(0, keepdims=True) + blocks.mean()
    freedom = arms * (seeds - 1)
    variance = float((residual**2).sum()) / freedom
    if variance <= np.finfo(float).eps * float((blocks**2).sum()):
        return np.full(arms, np.nan)
    reached = np.abs(sample.mean(1)) / np.sqrt(2 * variance / seeds)
    if arms == 1:
        return np.array([2 * float(stdtr(freedom, -reached[0]))])
    from scipy import stats

    shape = np.full((arms, arms), 0.5) + 0.5 * np.eye(arms)
    joint = stats.multivariate_t(shape=shape, df=freedom, seed=0)
    inside = [
        joint.cdf(np.full(arms, each), lower_limit=np.full(arms, -each), maxpts=_DRAWS, random_state=0)
        for each in reached
    ]
    return np.clip(1 - np.asarray(inside, dtype=np.float64), 0.0, 1.0)
