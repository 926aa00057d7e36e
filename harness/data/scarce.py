"""Evaluation splits with so few pairs of one label that hardly anything can be read off them."""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from analysis.output import counted
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold

FEW = 10
"""Pairs of either label, below which the standard error of an AUC by chance is above 0.09."""


def scarce(dataset: EncodedDataset, folds: Iterable[Fold]) -> Iterator[str]:
    """A sentence for each cell line of val_unseen and test with fewer than `FEW` positives or negatives in a fold.

    The error that it names is that of an AUC by chance, sqrt((n + m + 1) / (12 n m)) of n positives and m negatives (the
    null distribution of the Mann-Whitney statistic). A cell line without both labels is refused elsewhere.
    """
    for fold in folds:
        held = np.isin(dataset.chromosomes, fold.chromosomes)
        evaluated = held[dataset.chrom] & held[dataset.promoter_chrom]
        for split, names in (("val_unseen", fold.val), ("test", fold.test)):
            for name in names:
                label = dataset.label[evaluated & (dataset.cell == dataset.cell_lines.index(name))]
                n, m = int((label == 1).sum()), int((label == 0).sum())
                if 0 < min(n, m) < FEW:
                    error = math.sqrt((n + m + 1) / (12 * n * m))
                    yield (
                        f"{fold.name}: {split} has {counted(n, 'positive')} of {counted(n + m, 'pair')} of {name}, "
                        f"where an AUC by chance is 0.5 ± {error:.2f}: too few to choose or compare by"
                    )
