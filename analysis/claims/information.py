"""Mutual information of a vector and a class by nearest neighbours, which no loss term trains on."""

import numpy as np
from scipy.spatial import KDTree
from scipy.special import digamma

Array = np.ndarray
NEIGHBOURS = 10
DIRECTIONS = 4
"""Leading directions that are looked at: in more, nearest neighbours are all equally far."""
PERMUTATIONS = 20


def nearest_neighbours(vectors: Array, classes: Array) -> float:
    """I(vector; class) in nats of vectors [n, d] and classes [n]: psi(n) + psi(k) - mean psi(n_c) - mean psi(m), m the
    samples within the distance of the k-th neighbour of one's own class, k at most the class's samples less one.

    May be slightly below 0. Classes of one sample are left out; NaN where fewer than two classes are left. Source: Ross
    2014, "Mutual information between discrete and continuous data sets", PLoS ONE 9.
    """
    names, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    kept = counts[codes] > 1
    if len(names[counts > 1]) < 2:
        return float("nan")
    x, codes = vectors[kept], codes[kept]
    whole, terms = KDTree(x), np.empty(len(x))
    for code in np.unique(codes):
        at = np.flatnonzero(codes == code)
        k = min(NEIGHBOURS, len(at) - 1)
        radius = KDTree(x[at]).query(x[at], k=[k + 1])[0][:, 0]
        within = whole.query_ball_point(x[at], np.nextafter(radius, np.inf), return_length=True)
        terms[at] = digamma(k) - digamma(len(at)) - digamma(np.maximum(within - 1, 1))
    return float(digamma(len(x)) + terms.mean())


def excess(
    vectors: Array, classes: Array, label: Array, random: np.random.Generator
) -> tuple[float, float, float]:
    """(Information in the leading directions, each scaled to variance 1, less the mean of its permutation null; p of that
    null; the same less its null where the label is held: classes are permuted among samples of one label)."""
    x = scaled(vectors, DIRECTIONS)
    value = nearest_neighbours(x, classes)
    null = [nearest_neighbours(x, random.permutation(classes)) for _ in range(PERMUTATIONS)]
    conditional, weight = 0.0, 0
    for each in np.unique(label):
        at = label == each
        within = nearest_neighbours(x[at], classes[at])
        chance = [
            nearest_neighbours(x[at], random.permutation(classes[at])) for _ in range(PERMUTATIONS // 4)
        ]
        if np.isfinite(within):
            conditional += int(at.sum()) * (within - float(np.mean(chance)))
            weight += int(at.sum())
    p = (1 + sum(each >= value for each in null)) / (1 + PERMUTATIONS)
    return value - float(np.mean(null)), p, conditional / weight if weight else float("nan")


def scaled(vectors: Array, most: int) -> Array:
    """The first columns of variance 1; those with less than 1 % of the first one's SD are left out as rounding."""
    x = np.asarray(vectors, dtype=np.float64)[:, :most]
    spread = x.std(0)
    varies = spread > 0.01 * max(float(spread.max(initial=0.0)), 1e-12)
    return (x[:, varies] - x[:, varies].mean(0)) / spread[varies]
