"""Hartigan's dip: how far a sample is from the nearest distribution with one mode."""

from itertools import pairwise

import numpy as np

Array = np.ndarray


def dip(values: Array) -> float:
    """min over unimodal distribution functions G of max |F_n - G|, F_n that of the values [n]; 1 / (2 n) at least, and 0
    for fewer than two different ones.

    Hartigan 1985, AS 217: within an interval that shrinks to the mode, the greatest convex minorant and the least concave
    majorant of F_n, and how far they are from it on either side.
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    n = x.size
    if n < 2 or x[0] == x[-1]:
        return 0.0
    minorant, majorant = _minorant(x), _majorant(x)
    low, high, largest = 0, n - 1, 1.0
    while True:
        gcm = _chain(minorant, high, low)
        lcm = _chain(majorant, low, high)
        distance, left, right = _apart(x, gcm, lcm)
        if distance < largest:
            break
        below = max((_gap(x, b, a, -1) for a, b in _pairs(gcm[left:])), default=0.0)
        above = max((_gap(x, a, b, 1) for a, b in _pairs(lcm[right:])), default=0.0)
        largest = max(largest, below, above)
        if (gcm[left], lcm[right]) == (low, high):
            break
        low, high = gcm[left], lcm[right]
    return largest / (2 * n)


def _minorant(x: Array) -> list[int]:
    """Index j -> the one before it on the greatest convex minorant of (x_i, i), i <= j."""
    before = [0]
    for j in range(1, len(x)):
        at = j - 1
        while at and (x[j] - x[at]) * (at - before[at]) >= (x[at] - x[before[at]]) * (j - at):
            at = before[at]
        before.append(at)
    return before


def _majorant(x: Array) -> list[int]:
    """Index k -> the one after it on the least concave majorant of (x_i, i), i >= k."""
    last = len(x) - 1
    after = [last] * len(x)
    for k in range(last - 1, -1, -1):
        at = k + 1
        while at != last and (x[k] - x[at]) * (at - after[at]) >= (x[at] - x[after[at]]) * (k - at):
            at = after[at]
        after[k] = at
    return after


def _chain(step: list[int], start: int, end: int) -> list[int]:
    chain = [start]
    while chain[-1] != end:
        chain.append(step[chain[-1]])
    return chain


def _pairs(chain: list[int]) -> list[tuple[int, int]]:
    return list(pairwise(chain))


def _apart(x: Array, gcm: list[int], lcm: list[int]) -> tuple[float, int, int]:
    """Largest distance between majorant and minorant in counts, and where in their chains it is."""
    if len(gcm) == 2 and len(lcm) == 2:
        return 1.0, 1, 1
    distance, left, right = 0.0, len(gcm) - 1, len(lcm) - 1
    g, v = len(gcm) - 2, 1
    while True:
        if gcm[g] > lcm[v]:
            before = gcm[g + 1]
            slope = (gcm[g] - before) / (x[gcm[g]] - x[before])
            apart = (lcm[v] - before + 1) - (x[lcm[v]] - x[before]) * slope
            v += 1
            if apart >= distance:
                distance, left, right = apart, g + 1, v - 1
        else:
            before = lcm[v - 1]
            slope = (lcm[v] - before) / (x[lcm[v]] - x[before])
            apart = (x[gcm[g]] - x[before]) * slope - (gcm[g] - before - 1)
            g -= 1
            if apart >= distance:
                distance, left, right = apart, g + 1, v
        g, v = max(g, 0), min(v, len(lcm) - 1)
        if gcm[g] == lcm[v]:
            return distance, left, right


def _gap(x: Array, a: int, b: int, sign: int) -> float:
    """Largest distance in counts, 1 at least, of F_n below (sign 1) or above (-1) the straight line from a to b."""
    if b - a <= 1 or x[a] == x[b]:
        return 1.0
    inside = np.arange(a, b + 1)
    line = (x[inside] - x[a]) * (b - a) / (x[b] - x[a])
    steps = inside - a + (1 if sign < 0 else -1)
    return max(1.0, float((sign * (line - steps)).max()))
