"""What the scores of a split have to be of, from the data alone."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class PromisedSplit(NamedTuple):
    """Pairs [N] of a split with the data's labels and cell lines; its cell lines K as `codes`, by which of the trained ones
    each goes (`trained` [K], -1 for unseen), the pairs' `order` by cell line, and in that order the `number` of each pair's
    cell line among `codes`, in the upper half of an int64."""

    pairs: np.ndarray
    label: np.ndarray
    cell: np.ndarray
    codes: list[int]
    trained: np.ndarray
    order: np.ndarray
    number: np.ndarray

    @classmethod
    def of(
        cls, pairs: np.ndarray, label: np.ndarray, cell: np.ndarray, index: Mapping[int, int]
    ) -> "PromisedSplit":
        """Of all labels and cell lines of the data; `index`: code of a training cell line -> its place among them."""
        codes, number = np.unique(cell[pairs], return_inverse=True)
        order = np.argsort(number, kind="stable")
        trained = np.array([index.get(int(code), -1) for code in codes])
        return cls(
            pairs.copy(), label[pairs], cell[pairs], codes.tolist(), trained, order, number[order] << 32
        )

    def foreign(self, support: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Bool [K, D, S]: values of support sets float32 [K, D, S], a row per cell line, that no pair of that cell line has
        among u [N]."""
        known = u[self.order].view(np.uint32).astype(np.int64) | self.number
        known.sort()
        keys = support.view(np.uint32).astype(np.int64)
        keys |= (np.arange(len(support)) << 32)[:, None, None]
        foreign: np.ndarray = known[np.minimum(np.searchsorted(known, keys), len(known) - 1)] != keys
        return foreign
