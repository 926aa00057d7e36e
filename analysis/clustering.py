"""Design effect of an AUC: pairs that are neighbours on the genome are alike, and say less than independent ones."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOCUS_BP = 2_000_000
"""Width of a locus bin: pairs of one bin share enhancers, promoters and chromatin."""

Floats = NDArray[np.float64]


def design_effect(logit: ArrayLike, label: ArrayLike, cell: ArrayLike, locus: ArrayLike) -> float:
    """Variance of the AUC with the pairs of a locus taken together, over that with all pairs taken as independent.

    logit, label (0/1), cell, locus [N]. The AUC is the mean of the cell lines' own, weighted by their pairs; loci are
    shared by all cell lines. Both variances are sums of squared placements (DeLong), by locus for the first one. At
    least 1, since the effect is there to widen an interval; 1 where every pair has the same logit. NaN where no cell
    line has two pairs of each class, for fewer than two loci, and for a logit that is not finite.

    Source: Obuchowski 1997, "Nonparametric analysis of clustered ROC curve data", Biometrics 53.
    """
    scores, positive = np.asarray(logit, dtype=np.float64), np.asarray(label) == 1
    cells, loci = np.asarray(cell), np.unique(np.asarray(locus), return_inverse=True)[1]
    if not np.isfinite(scores).all() or not scores.size:
        return float("nan")
    influence, alone, used = np.zeros(scores.size), 0.0, np.zeros(scores.size, dtype=bool)
    for name in np.unique(cells):
        at = np.flatnonzero(cells == name)
        # A positive and a negative of one locus that move up together leave the AUC as it was: opposite signs.
        for one_class, sign in ((True, 1.0), (False, -1.0)):
            members, other = at[positive[at] == one_class], at[positive[at] != one_class]
            if min(members.size, other.size) < 2:
                continue
            placement = _placement(scores[members], scores[other])
            influence[members] = sign * at.size * (placement - placement.mean()) / members.size
            alone += float(np.square(influence[members]).sum()) * members.size / (members.size - 1)
            used[members] = True
    count = np.unique(loci[used]).size
    if count < 2:
        return float("nan")
    together = float(np.square(np.bincount(loci[used], influence[used])).sum()) * count / (count - 1)
    if alone == 0.0:
        return 1.0
    return max(1.0, together / alone)


def _placement(scores: Floats, other: Floats) -> Floats:
    """Share of `other` that lies below each of `scores` [n], ties one half."""
    ordered = np.sort(other)
    below, upto = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return np.asarray((below + upto) / (2.0 * other.size))
