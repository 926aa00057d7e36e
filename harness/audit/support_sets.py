"""The support sets that arrived in a scoring, side by side."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from harness.audit.witness import Arrival


class SupportSets(NamedTuple):
    """Of K arrivals of D support sets of S pairs each: u float32 [K, D, S], names [K, D] of their cell lines, and which
    arrivals carry labels, bool [K]."""

    u: np.ndarray
    names: np.ndarray
    labelled: np.ndarray

    @classmethod
    def of(cls, arrivals: Sequence[Arrival], shape: tuple[int, int]) -> "SupportSets | None":
        """Of arrivals of D support sets of S pairs, `shape`; None where one is of another shape, or there is none."""
        if not arrivals or not all(cls.fit(arrival, shape) for arrival in arrivals):
            return None
        parts = [part for arrival in arrivals for part in (arrival.label, arrival.labelled)]
        labelled = np.zeros((len(arrivals), 2 * shape[0]), dtype=bool)
        labels = torch.cat(parts).cpu().numpy()
        if np.count_nonzero(labels):
            labelled = np.asarray(labels.any(1)).reshape(labelled.shape)
        return cls(
            torch.cat([arrival.u for arrival in arrivals]).cpu().numpy().reshape(-1, *shape),
            torch.cat([arrival.cell for arrival in arrivals]).cpu().numpy().reshape(-1, shape[0]),
            np.asarray(labelled.any(1)),
        )

    @staticmethod
    def fit(arrival: Arrival, shape: tuple[int, int]) -> bool:
        """Whether the arrival is of `shape`."""
        return (
            arrival.u.shape == arrival.label.shape == arrival.labelled.shape == shape
            and arrival.cell.shape == shape[:1]
        )

    def part(self, first: int, count: int) -> "SupportSets":
        """`count` arrivals from the one at `first` on."""
        return SupportSets(*(array[first : first + count] for array in self))
