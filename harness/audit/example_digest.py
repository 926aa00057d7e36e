"""A few numbers that stand for many: two sets of values differ where these do."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
from torch import Tensor

Digest = tuple[float, float, float]
"""Norm of the values, and their products with two fixed waves: what is moved to another place changes these."""
Digests = dict[str, Digest]
NEAR = 1e-6
"""Largest difference of a digest, relative to its norm, of steps in float64, whose predictions alone are kept in float32:
8e-8 was met between AVX-512 and no vector unit at all, in predictions, and 6e-10 beside them."""
NEAR_WHOLE, NEAR_WHOLE_PREDICTED = 5e-4, 2e-3
"""The same of the whole trial, which trains in float32: 8e-6 was met there."""
FLOOR = 1e-4
"""Norm below which a value is mostly rounding."""
PREDICTED = "predicted"
"""How names of predictions begin."""
DIGITS = 8


def digest(values: Tensor | np.ndarray | Iterable[float]) -> Digest:
    """Of the values in their order; what is not finite counts as a number of its own."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    flat = np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=np.float64).reshape(
        -1
    )
    flat = np.nan_to_num(flat, nan=-7.0, posinf=1e6, neginf=-1e6)
    at = np.arange(1, len(flat) + 1, dtype=np.float64)
    made = (np.linalg.norm(flat), flat @ np.cos(at), flat @ np.cos(math.sqrt(2) * at))
    return tuple(float(f"{value:.{DIGITS}g}") for value in made)  # type: ignore[return-value]


def difference(made: Mapping[str, Digest], wanted: Mapping[str, Digest], *, whole: bool = False) -> str:
    """The first name under which digests differ, in words; empty where none does. `whole`: of the whole trial."""
    for name in [*wanted, *(name for name in made if name not in wanted)]:
        if name not in made or name not in wanted:
            return f"{name} is {'not there any more' if name in wanted else 'new'}"
        one, other = made[name], wanted[name]
        gap = max(abs(a - b) for a, b in zip(one, other, strict=True))
        near = NEAR if not whole else NEAR_WHOLE_PREDICTED if name.startswith(PREDICTED) else NEAR_WHOLE
        size = max(one[0], other[0]) + FLOOR
        if not gap <= near * size:
            return f"{name} is another one, by {gap / size:.2g} of its size"
    return ""
