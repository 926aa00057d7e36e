"""What a vector tells of a class by a linear probe: cross-validated, in nats."""

from collections.abc import Iterable

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Array = np.ndarray
Split = Iterable[tuple[Array, Array]]
STRENGTH = 0.02
"""C of the logistic regression: strong ridge, so that a vector that tells nothing costs next to nothing."""
FEWEST = 5
"""Samples of a class that are needed for as many parts."""


def probed(vectors: Array, classes: Array, splits: Split) -> float:
    """Nats per sample that a logistic regression on standardised vectors [n, d] says of classes [n] beyond their shares in
    what it was fitted on, over the test parts of `splits`; a lower bound of the information, below 0 by overfitting.
    A part whose fitted samples are all of one class, or lack one that is tested, is left out; NaN without any."""
    gained: list[Array] = []
    for train, test in splits:
        names, counts = np.unique(classes[train], return_counts=True)
        known = np.isin(classes[test], names)
        if len(names) < 2 or not known.all():
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))
        model.fit(vectors[train], classes[train])
        at = np.searchsorted(names, classes[test])
        said = model.predict_log_proba(vectors[test])[np.arange(len(test)), at]
        gained.append(said - np.log(counts / counts.sum())[at])
    return float(np.concatenate(gained).mean()) if gained else float("nan")


def of_label(vectors: Array, label: Array, lines: Array) -> float:
    """Nats of the label, each cell line tested by a probe of the others'."""
    if len(np.unique(lines)) < 2:
        return float("nan")
    return probed(vectors, label, LeaveOneGroupOut().split(vectors, label, lines))


def of_line(vectors: Array, lines: Array) -> float:
    """Nats of the cell line, in five parts, beyond what a probe says of permuted cell lines (below 0, as so many classes
    are overfitted); cell lines with fewer samples than five are left out."""
    _, codes, counts = np.unique(lines, return_inverse=True, return_counts=True)
    kept = counts[codes] >= FEWEST
    if (counts >= FEWEST).sum() < 2:
        return float("nan")
    x, classes = vectors[kept], lines[kept]
    parts = StratifiedKFold(FEWEST, shuffle=True, random_state=0)
    other = np.random.default_rng(0).permutation(classes)
    return probed(x, classes, parts.split(x, classes)) - probed(x, other, parts.split(x, other))
