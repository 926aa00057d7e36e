"""Labels copied from the same loci in the training cell lines."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from harness.baselines.baseline import BASELINES, Baseline, in_chunks
from harness.baselines.features import PairFeatures, Rows
from harness.data.dataset import EncodedDataset

_CHROMOSOME_STRIDE = 1 << 40


@BASELINES.register(
    "locus_lookup",
    id="B06",
    name="locus lookup",
    equation="p = (y(e,p) + q) / (n(e,p) + 1), q = (y(p) + prior) / (n(p) + 1), l = ln(p / (1 - p)); n and y count "
    "pairs and positives of other cell lines among the training ones that overlap both elements, or the promoter",
    shapes="pairs [n] -> logits [n]",
    source="definitions, Shortcut baselines",
)
class LocusLookup(Baseline):
    """Copies labels of overlapping loci (intervals, half-open) in *other* cell lines of the training ones.

    Counts shrink from the pair's locus to the promoter's, and from there to the training prevalence, which a
    locus without a neighbour gets. No held-out locus has a neighbour in `train`, by construction of the
    folds, so the labels come from the training cell lines on all chromosomes: this baseline reads what no
    model of the fold may read.
    """

    copies = True
    note = "reads the training cell lines' labels at the held-out loci: what copying alone gives"

    def fit(self, features: PairFeatures, train: Rows) -> None:
        dataset = features.dataset
        known = np.flatnonzero(np.isin(dataset.cell, np.unique(dataset.cell[train])))
        start = _position(dataset, known)
        order = np.argsort(start, kind="stable")
        self._known, self._start = known[order], start[order]
        self._reach = int((dataset.promoter_end[known] - dataset.promoter_start[known]).max())
        self._prior = float(np.mean(features.labels(train)))

    def logits(self, features: PairFeatures, pairs: Rows) -> NDArray[np.float64]:
        return in_chunks(lambda part: self._chunk(features.dataset, part), pairs)

    def _chunk(self, dataset: EncodedDataset, pairs: Rows) -> NDArray[np.float64]:
        asked, neighbours = self._neighbours(dataset, pairs)
        a, b = pairs[asked], self._known[neighbours]
        both = (
            (dataset.chrom[a] == dataset.chrom[b])
            & (dataset.enhancer_start[a] < dataset.enhancer_end[b])
            & (dataset.enhancer_start[b] < dataset.enhancer_end[a])
        )
        label = dataset.label[b].astype(np.float64)

        def count(mask: NDArray[np.bool_], weight: NDArray[np.float64]) -> NDArray[np.float64]:
            total = np.bincount(asked[mask], weights=weight[mask], minlength=len(pairs))
            return total.astype(np.float64)

        one, every = np.ones(len(b)), np.ones(len(b), dtype=bool)
        promoter = (count(every, label) + self._prior) / (count(every, one) + 1.0)
        pair = (count(both, label) + promoter) / (count(both, one) + 1.0)
        return np.asarray(logit(pair))

    def _neighbours(self, dataset: EncodedDataset, pairs: Rows) -> tuple[Rows, Rows]:
        """Index into `pairs` and into the known pairs, for overlapping promoters of different cell lines."""
        start = _position(dataset, pairs)
        length = dataset.promoter_end[pairs] - dataset.promoter_start[pairs]
        low = np.searchsorted(self._start, start - self._reach, side="right")
        high = np.searchsorted(self._start, start + length, side="left")
        width = np.maximum(high - low, 0)
        asked = np.repeat(np.arange(len(pairs)), width)
        neighbours = (
            np.arange(width.sum()) - np.repeat(np.cumsum(width) - width, width) + np.repeat(low, width)
        )
        a, b = pairs[asked], self._known[neighbours]
        keep = (
            (dataset.promoter_chrom[a] == dataset.promoter_chrom[b])
            & (dataset.promoter_end[b] > dataset.promoter_start[a])
            & (dataset.cell[a] != dataset.cell[b])
        )
        return asked[keep], neighbours[keep]


def _position(dataset: EncodedDataset, pairs: Rows) -> Rows:
    """Promoter starts on one axis, chromosome after chromosome."""
    return dataset.promoter_chrom[pairs].astype(np.int64) * _CHROMOSOME_STRIDE + dataset.promoter_start[pairs]
