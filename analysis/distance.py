"""What of an AUPR is left when genomic distance, the shortcut of real pairs, is taken out: by distance bin, and against
negatives that are as far away as the positives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.metrics import aupr_by_cell
from analysis.resample import Curve

Floats = NDArray[np.float64]

EDGES = (0, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)
"""Where the bins begin, in bp; the last one has no end."""
FEWEST = 5
"""Pairs of either class that a cell line needs in a bin."""
STRATA = 20
"""Quantiles of the positives' distance within which negatives are weighted."""


@dataclass(frozen=True)
class DistanceBin:
    """Pairs from `low` to below `high` bp: macro AUPR over the `lines` with enough of both classes, NaN without any; n,
    positives and prevalence are of these lines, of all where there are none."""

    low: float
    high: float
    n: int
    positives: int
    lines: int
    aupr: float

    @property
    def prevalence(self) -> float:
        return self.positives / self.n if self.n else float("nan")

    @property
    def label(self) -> str:
        """`10-25`, `1000+`, in kb."""
        return f"{self.low / 1000:g}" + ("+" if np.isinf(self.high) else f"-{self.high / 1000:g}")


def by_distance(
    score: ArrayLike, label: ArrayLike, cell: ArrayLike, distance: ArrayLike
) -> list[DistanceBin]:
    """Macro AUPR of every bin that has pairs; score, label (0/1), cell and distance (bp) [N]."""
    scores, labels, cells, gap = (np.asarray(each) for each in (score, label, cell, distance))
    bins = []
    for low, high in zip(EDGES, [*EDGES[1:], np.inf], strict=True):
        inside = (gap >= low) & (gap < high)
        lines = [name for name in np.unique(cells[inside]) if _enough(labels[inside & (cells == name)])]
        used = inside & np.isin(cells, lines) if lines else inside
        if inside.any():
            aupr = aupr_by_cell(scores[used], labels[used], cells[used])[-2] if lines else float("nan")
            bins.append(
                DistanceBin(low, float(high), int(used.sum()), int(labels[used].sum()), len(lines), aupr)
            )
    return bins


def distance_rule(distance: ArrayLike) -> Floats:
    """The score of who knows the distance alone and takes nearer pairs to be likelier."""
    return -np.asarray(distance, dtype=np.float64)


def matched_weights(label: ArrayLike, distance: ArrayLike) -> Floats:
    """Weights [N] under which negatives have the positives' distances, of pairs of one cell line.

    Within each of `STRATA` quantiles of the positives' distance, negatives are weighted to their share of positives; the
    sum over negatives stays, and with it the prevalence. Positives of a stratum without negatives have weight 0, and so
    have negatives beyond the positives' range.
    """
    positive, gap = np.asarray(label) == 1, np.asarray(distance, dtype=np.float64)
    weights = np.zeros(gap.size)
    if not positive.any() or positive.all():
        return weights
    edges = np.unique(np.quantile(gap[positive], np.linspace(0, 1, min(STRATA, int(positive.sum())) + 1)))
    stratum = np.clip(np.searchsorted(edges, gap, side="right") - 1, 0, max(len(edges) - 2, 0))
    inside = (gap >= edges[0]) & (gap <= edges[-1])
    count = max(len(edges) - 1, 1)
    each = [np.bincount(stratum[inside & chosen], minlength=count) for chosen in (positive, ~positive)]
    both = (each[0] > 0) & (each[1] > 0)
    kept = inside & both[stratum]
    weights[kept & positive] = 1.0
    share = np.divide(each[0], each[1], out=np.zeros(count), where=both)
    weights[kept & ~positive] = share[stratum[kept & ~positive]]
    total = weights[~positive].sum()
    # As many negatives per positive that is left as there were.
    scale = (~positive).sum() / positive.sum() * weights[positive].sum() / total if total else 0.0
    weights[~positive] *= scale
    return weights


def matched_aupr(score: ArrayLike, label: ArrayLike, cell: ArrayLike, distance: ArrayLike) -> float:
    """Macro AUPR against distance-matched negatives (`matched_weights`), over cell lines with enough of both classes."""
    scores, labels, cells, gap = (np.asarray(each) for each in (score, label, cell, distance))
    values = []
    for name in np.unique(cells):
        here = cells == name
        if _enough(labels[here]):
            values.append(Curve(scores[here], labels[here]).aupr(matched_weights(labels[here], gap[here])))
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _enough(labels: NDArray[np.int64]) -> bool:
    return min(int((labels == 1).sum()), int((labels == 0).sum())) >= FEWEST
