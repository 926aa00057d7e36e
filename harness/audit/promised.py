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

    def places(self, support: np.ndarray, u: np.ndarray) -> "Places":
        """Where values of support sets float32 [K, D, S], a row per cell line, stand among the u [N] of that cell line."""
        known = u[self.order].view(np.uint32).astype(np.int64) | self.number
        rising = np.argsort(known, kind="stable")
        known = known[rising]
        keys = support.view(np.uint32).astype(np.int64)
        keys |= (np.arange(len(support)) << 32)[:, None, None]
        return Places(self.order[rising], np.searchsorted(known, keys), np.searchsorted(known, keys, "right"))


class Places(NamedTuple):
    """Rows of a split by cell line and U_I (`rows` [N]), and of each support value the `first` and the `last` (excluded) of
    those that have it [K, D, S]; none has where these are equal."""

    rows: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @property
    def foreign(self) -> np.ndarray:
        """Bool [K, D, S]: values that no pair of the cell line has."""
        foreign: np.ndarray = self.first == self.last
        return foreign

    @property
    def repeated(self) -> np.ndarray:
        """Bool [K, D]: support sets that hold a value more often than pairs of the cell line have it."""
        first = np.sort(self.first, axis=2)
        order = np.argsort(self.first, axis=2)
        number = np.take_along_axis(self.last - self.first, order, 2)
        before = np.arange(first.shape[2]) - number
        same = np.take_along_axis(first, np.maximum(before, 0), 2) == first
        repeated: np.ndarray = (same & (before >= 0)).any(2)
        return repeated

    def mean(self, trait: np.ndarray) -> np.ndarray:
        """Of a trait [N] of the split's rows, the mean [K, D, S] over the pairs that a support value may be."""
        total = np.concatenate([[0.0], np.cumsum(trait[self.rows])])
        mean: np.ndarray = (total[self.last] - total[self.first]) / np.maximum(self.last - self.first, 1)
        return mean

    def drawn(self) -> np.ndarray:
        """A row [K, D, S] of the split that has each value, the first of several."""
        return self.rows[np.minimum(self.first, len(self.rows) - 1)]

    def alone(self) -> np.ndarray:
        """Rows of the split that the values of the first draws [K, S] are, -1 where several pairs have a value."""
        first, last = self.first[:, 0], self.last[:, 0]
        row = self.rows[np.minimum(first, len(self.rows) - 1)]
        return np.where(last - first == 1, row, -1)
