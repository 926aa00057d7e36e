"""Distance of a point from the convex hull of others, by a linear programme."""

import numpy as np
from scipy.optimize import linprog

Array = np.ndarray
DIRECTIONS = 2
"""Leading directions in which hulls are looked at: in many, nothing is ever inside."""


def hull_distance(point: Array, others: Array) -> float:
    """min over weights a >= 0, sum a = 1 of max_i |point - sum_k a_k others_k|_i, of a point [d] and others [n, d]; 0
    inside their convex hull. In the largest coordinate, so that it is a linear programme: minimise t over (a, t)."""
    n, d = others.shape
    above = np.hstack([others.T, -np.ones((d, 1))])
    below = np.hstack([-others.T, -np.ones((d, 1))])
    result = linprog(
        np.append(np.zeros(n), 1.0),
        A_ub=np.vstack([above, below]),
        b_ub=np.concatenate([point, -point]),
        A_eq=np.append(np.ones(n), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * (n + 1),
    )
    if result.status != 0:
        raise ArithmeticError(f"the linear programme of a hull has no solution: {result.message}")
    return max(0.0, float(result.fun))


def directions(vectors: Array) -> Array:
    """The leading two principal directions [2, w] of vectors [n, w], fewer where they have fewer dimensions."""
    directions: Array = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)[2][:DIRECTIONS]
    return directions


def left_out(points: Array) -> Array:
    """Distance [n] of each point from the hull of all others."""
    others = np.arange(len(points))
    return np.array([hull_distance(point, points[others != at]) for at, point in enumerate(points)])
