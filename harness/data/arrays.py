"""NumPy files written part by part."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def new_array(file: Path, dtype: type, shape: tuple[int, ...]) -> Iterator[Callable[[np.ndarray], None]]:
    """Write `file` (.npy) of `shape` in C order; the yielded function appends a part of it.

    Ordinary writes: where the disk is full they raise OSError, while a page written through a map of a file that
    has no room left would end the process with SIGBUS. Raises ValueError when the parts do not fill the shape.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": shape,
    }
    written = 0
    with file.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)

        def append(part: np.ndarray) -> None:
            nonlocal written
            stream.write(np.ascontiguousarray(part, dtype=dtype).tobytes())
            written += part.size

        yield append
    if written != math.prod(shape):
        raise ValueError(f"{file.name}: {written} values for an array of shape {shape}")


def save_array(file: Path, values: np.ndarray) -> None:
    """Write `file` (.npy) whole; raises OSError with its cause where the disk is full (np.save names none)."""
    with new_array(file, values.dtype.type, values.shape) as append:
        append(values)
