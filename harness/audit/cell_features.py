"""The features that an environment is given, against those that the data have of a cell line."""

import numpy as np
from torch import Tensor

from harness.data.dataset import EncodedDataset
from harness.trial.inspection import Subject

CLOSE = 1e-4
"""Largest difference from a standardised feature, relative to 1 + its size."""
PLACEBO = "features"
"""What `permuted` calls a placebo of the source that reads them."""
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


def arriving_features(subject: Subject) -> np.ndarray | None:
    """v_c float64 [cell lines, F] with which each cell line has to arrive: its own, and under a placebo of the source
    `features`, of a training cell line those of the other one that the predictor has in its place."""
    plain, table = plain_features(subject.trainer.dataset, subject.codes), subject.predictor.v
    if plain is None or table is None or PLACEBO not in subject.config.permuted:
        return plain
    theirs, shown = plain[subject.codes], table.double().cpu().numpy()[subject.codes]
    plain[subject.codes] = theirs[np.abs(shown[:, None] - theirs).max(-1).argmin(1)]
    return plain


def not_permuted(subject: Subject) -> str:
    """What is wrong with a placebo of the source `features`, in words: a training cell line that has its own features where
    others are different, or two that have those of one; empty where nothing is, and where none was asked for."""
    plain, shown = plain_features(subject.trainer.dataset, subject.codes), arriving_features(subject)
    if plain is None or shown is None or PLACEBO not in subject.config.permuted:
        return ""
    before, after = plain[subject.codes], shown[subject.codes]
    if len(np.unique(before, axis=0)) == len(before) > 1 and (before == after).all(1).any():
        return "a placebo of features sees those of a training cell line in their place, and is to see another one's"
    if not np.array_equal(np.sort(before, 0), np.sort(after, 0)):
        return "a placebo of features sees those of one training cell line for two"
    return ""


def is_of_others(v: Tensor | None, expected: np.ndarray | None) -> bool:
    """Whether features [E, F] arrived that are not the expected ones; where none arrived or some others are expected by
    their number (a mixture's), there is nothing to compare."""
    if v is None or expected is None or v.shape != expected.shape:
        return False
    gap = np.abs(v.detach().double().cpu().numpy() - expected)
    return not bool((gap <= CLOSE * (1 + np.abs(expected))).all())
