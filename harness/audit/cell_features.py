"""The features that an environment is given, against those that the data have of a cell line."""

import numpy as np
from torch import Tensor

from harness.data.dataset import EncodedDataset

CLOSE = 1e-4
"""Largest difference from a standardised feature, relative to 1 + its size."""
CONSTANT = 1e-8
"""Standard deviation up to which a feature is constant over the training cell lines, and 0 everywhere."""


def plain_features(dataset: EncodedDataset, codes: np.ndarray) -> np.ndarray | None:
    """v_c float64 [cell lines, F]: features less their mean over the training cell lines `codes`, in standard deviations;
    None for data without any."""
    if dataset.features is None:
        return None
    columns = []
    for values in zip(*(dataset.features[name] for name in dataset.cell_lines), strict=True):
        column = np.array(values, dtype=np.float64)
        spread = column[codes].std()
        columns.append((column - column[codes].mean()) / spread if spread > CONSTANT else 0.0 * column)
    return np.stack(columns, 1)


def is_of_others(v: Tensor | None, expected: np.ndarray | None) -> bool:
    """Whether features [E, F] arrived that are not the expected ones; where none arrived or some others are expected by
    their number (a mixture's), there is nothing to compare."""
    if v is None or expected is None or v.shape != expected.shape:
        return False
    gap = np.abs(v.detach().double().cpu().numpy() - expected)
    return not bool((gap <= CLOSE * (1 + np.abs(expected))).all())
