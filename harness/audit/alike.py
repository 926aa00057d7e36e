"""Whether two arrays hold the same numbers, asked so often that the asking has to cost next to nothing."""

import numpy as np


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether shapes and numbers are the same; NaN is NaN where it is of the same bits."""
    if one.shape != other.shape:
        return False
    same_bits = one.dtype == other.dtype and one.tobytes() == other.tobytes()
    return same_bits or bool((one == other).all())
