"""Canonical k-mer counts: strand-free composition of sequences, the features of the shortcut baselines."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

_BASES_AT_ONCE = 4_000_000


@cache
def canonical_index(k: int) -> NDArray[np.int64]:
    """Column of each k-mer code: index[code] = rank of min(code, reverse complement of code).

    int64 [4^k], codes as sum_j 4^(k-1-j) base[j] with A C G T = 0..3; (4^k + palindromes) / 2 distinct
    columns, e.g. 136 for k = 4 and 512 for k = 5. Raises ValueError unless 1 <= k <= 8 (32 896 columns).
    """
    if not 1 <= k <= 8:
        raise ValueError(f"k must lie between 1 and 8, not {k}")
    codes = np.arange(4**k, dtype=np.int64)
    reverse, rest = np.zeros_like(codes), codes.copy()
    for _ in range(k):
        reverse = 4 * reverse + (3 - rest % 4)
        rest //= 4
    index: NDArray[np.int64] = np.unique(np.minimum(codes, reverse), return_inverse=True)[1]
    index.flags.writeable = False
    return index


def kmer_counts(bases: NDArray[np.uint8], offsets: NDArray[np.int64], k: int) -> NDArray[np.float32]:
    """count[m, j] = number of positions of sequence m whose k-mer, or its reverse complement, is j.

    Shapes: bases uint8 [sum of lengths], sequences one after the other, A C G T = 0..3 and anything above for
    N or padding; offsets int64 [M + 1] -> float32 [M, columns]. k-mers with an N are not counted; a sequence
    shorter than k has a row of zeros, no sequences give [0, columns].
    """
    index = canonical_index(k)
    columns = int(index.max()) + 1
    sequences = len(offsets) - 1
    counts = np.zeros((sequences, columns), dtype=np.float32)
    first = 0
    while first < sequences:
        reach = int(np.searchsorted(offsets, offsets[first] + _BASES_AT_ONCE, side="right")) - 1
        last = min(max(first + 1, reach), sequences)
        counts[first:last] = _count(
            bases[offsets[first] : offsets[last]],
            offsets[first : last + 1] - offsets[first],
            index,
            columns,
            k,
        )
        first = last
    return counts


def _count(
    bases: NDArray[np.uint8], offsets: NDArray[np.int64], index: NDArray[np.int64], columns: int, k: int
) -> NDArray[np.int64]:
    sequences, positions = len(offsets) - 1, len(bases) - k + 1
    if positions < 1:
        return np.zeros((sequences, columns), dtype=np.int64)
    code = np.zeros(positions, dtype=np.int64)
    known = np.ones(positions, dtype=bool)
    for j in range(k):
        base = bases[j : j + positions]
        code = 4 * code + np.minimum(base, 3)
        known &= base < 4
    owner = np.repeat(np.arange(sequences), np.diff(offsets))
    whole = known & (owner[:positions] == owner[k - 1 :])
    cell = owner[:positions][whole] * columns + index[code[whole]]
    return np.bincount(cell, minlength=sequences * columns).reshape(sequences, columns)
