"""What a baseline may look at: the columns of a dataset and k-mer counts of its whole sequences."""

import numpy as np
from numpy.typing import NDArray

from analysis.errors import UserError
from harness.baselines.kmers import kmer_counts
from harness.data.bases import encode_bases
from harness.data.dataset import EncodedDataset

SIDES = ("enhancers", "promoters")
_SEQUENCES_AT_ONCE = 2048

Rows = NDArray[np.int64]


class PairFeatures:
    """Features of the pairs of one dataset; k-mer counts are made at first use and kept per (side, k).

    Counts are of the whole sequences, not of a model's centre crop, so that one result serves every model
    size.
    """

    def __init__(self, dataset: EncodedDataset) -> None:
        self.dataset = dataset
        self._counts: dict[tuple[str, int], NDArray[np.float32]] = {}

    def hiding(self, known: NDArray[np.bool_]) -> "PairFeatures":
        """The same features with the labels of the pairs where `known` [N] is True alone."""
        other = PairFeatures(self.dataset.hiding(known))
        other._counts = self._counts
        return other

    def labels(self, pairs: Rows) -> NDArray[np.int8]:
        """0/1 int8 [n] of pair indices [n].

        Raises
        ------
        UserError
            where labels of these pairs are hidden.
        """
        labels = np.asarray(self.dataset.label[pairs])
        hidden = int((labels < 0).sum())
        if hidden:
            raise UserError(f"it asks for the labels of {hidden} pairs that it is not fitted on")
        return labels

    def kmers(self, sides: tuple[str, ...], k: int, pairs: Rows) -> NDArray[np.float32]:
        """Canonical k-mer counts float32 [n, columns x sides] of pair indices [n]; sides of `SIDES`."""
        row_of = {"enhancers": self.dataset.enhancer_row, "promoters": self.dataset.promoter_row}
        return np.concatenate([self._side(side, k)[row_of[side][pairs]] for side in sides], axis=1)

    def log_distance(self, pairs: Rows) -> NDArray[np.float64]:
        """ln(1 + bp between enhancer and promoter) [n]; NaN for elements on different chromosomes."""
        distance = np.asarray(self.dataset.distance[pairs], dtype=np.float64)
        return np.log1p(np.where(distance < 0, np.nan, distance))

    def _side(self, side: str, k: int) -> NDArray[np.float32]:
        if (side, k) not in self._counts:
            lengths = self.dataset.sequence_lengths(side)
            read = {"enhancers": self.dataset.enhancer_sequence, "promoters": self.dataset.promoter_sequence}[
                side
            ]
            parts = []
            for first in range(0, len(lengths), _SEQUENCES_AT_ONCE):
                last = min(first + _SEQUENCES_AT_ONCE, len(lengths))
                bases = encode_bases([read(row) for row in range(first, last)])
                offsets = np.concatenate([[0], np.cumsum(lengths[first:last])]).astype(np.int64)
                parts.append(kmer_counts(bases, offsets, k))
            self._counts[side, k] = np.concatenate(parts)
        return self._counts[side, k]
