"""Whether what should have been drawn by chance could have been, by exact tails of the hypergeometric distribution."""

import math
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from scipy.special import betaln, chdtrc, logsumexp


def drawn_again(u: np.ndarray, pools: Sequence[np.ndarray], by_chance: float) -> Iterator[tuple[int, str]]:
    """Cell lines whose support draws have more in common than chance gives them with a probability of `by_chance`, and
    what: U_I of their draws u [K, D, S] and of the pairs that they are drawn from (`pools` [n])."""
    for number, again in _same(u, pools, by_chance):
        yield number, f"{1 + again} of {u.shape[1]} are one and the same"
    for number in _overlapping(u, pools, by_chance):
        yield number, "they have more pairs in common than chance gives them"


def _same(u: np.ndarray, pools: Sequence[np.ndarray], by_chance: float) -> Iterator[tuple[int, int]]:
    """Cell lines of which further support draws u [K, D, S] are the first one again, and how many are, where that has a
    probability under `by_chance` in sets from the `pools` [n]."""
    ordered, size = np.sort(u, axis=2), u.shape[2]
    alike = (ordered[:, 1:] == ordered[:, :1]).all(2)
    for number in np.flatnonzero(alike.any(1)).tolist():
        again, different = int(alike[number].sum()), len(np.unique(pools[number]))
        chance = 1.0 / math.comb(different, size) if different > size else 1.0
        if chance**again * u.shape[1] ** 2 < by_chance:
            yield number, again


def _overlapping(u: np.ndarray, pools: Sequence[np.ndarray], by_chance: float) -> Iterator[int]:
    """The cell line with the largest overlap, where further support draws u [K, D, S] share more values with the first one
    than S of the `pools` [n] without replacement would, over all of them together, with a probability under `by_chance`.
    Lines whose values do not tell pairs apart, or that have to be drawn with replacement, do not count."""
    size, logs, tests = u.shape[2], 0.0, 0
    overlaps: dict[int, int] = {}
    for number, (sets, pool) in enumerate(zip(u, pools, strict=True)):
        if not len(pool) == len(np.unique(pool)) > size:
            continue
        shared = np.isin(sets[1:], sets[0]).sum(1)
        logs += sum(_log_tail(common, len(pool), size) for common in shared.tolist())
        tests, overlaps[number] = tests + len(shared), int(shared.sum())
    # Fisher's sum; a tail that is counted in whole pairs is no smaller than the one that it assumes.
    if tests and chdtrc(2 * tests, -2 * logs) < by_chance:
        yield max(overlaps, key=lambda number: overlaps[number])


@cache
def _log_tail(common: int, pool: int, size: int) -> float:
    """log P of at least so much in common in two sets of `size` from a pool."""
    return float(logsumexp(_log_mass(np.arange(common, size + 1), pool, size, size)))


def _log_mass(common: np.ndarray, pool: int, marked: int, size: int) -> np.ndarray:
    """log P [k] of so many (`common` [k]) of the `marked` among `size` that are drawn from a pool without replacement; of
    -inf where that is impossible. scipy.stats has the same, and takes half a second of every process to be imported."""
    others = size - common
    possible = (common >= 0) & (common <= marked) & (others >= 0) & (others <= pool - marked)
    k, rest = np.where(possible, common, 0), np.where(possible, others, 0)
    ways = _log_choices(marked, k) + _log_choices(pool - marked, rest) - _log_choices(pool, size)
    return np.where(possible, ways, -np.inf)


def _log_choices(of: int, chosen: np.ndarray | int) -> np.ndarray:
    """log of the number of ways to choose so many."""
    return -np.log1p(of) - betaln(of - chosen + 1, chosen + 1)


def uneven_line(every: np.ndarray, chosen: np.ndarray, by_chance: float) -> int | None:
    """The first cell line of which a sample has more or fewer pairs than chance gives it: cell lines of `every` pair [N]
    and of the chosen ones [n]. None where there is none."""
    lines, sizes = np.unique(every, return_counts=True)
    for line, size in zip(lines.tolist(), sizes.tolist(), strict=True):
        there = int((chosen == line).sum())
        mass = np.exp(_log_mass(np.arange(len(chosen) + 1), len(every), size, len(chosen)))
        if min(mass[there:].sum(), mass[: there + 1].sum()) * len(lines) < by_chance:
            return int(line)
    return None
