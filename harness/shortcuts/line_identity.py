"""Whether lengths and composition of a support set tell which cell line it is of: if they do, what a model calls an
environment can be an artefact of how the pairs were made."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.dataset import EncodedDataset
from harness.data.shallow import ShallowStatistics

SETS, SIZE = 20, 32
"""Support sets per cell line and half of the chromosomes, and their pairs."""


def line_identity(dataset: EncodedDataset) -> list[dict[str, Any]]:
    """How often logistic regression names the cell line of a support set by the means of `seen`, fitted on sets of one half
    of the chromosomes and asked of the other; empty for one cell line. A line with fewer than `SIZE` pairs in a half gives
    smaller sets; one without any is left out.
    """
    from sklearn.linear_model import LogisticRegression  # here, so that no start waits for it
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    statistics, rng = ShallowStatistics(dataset), np.random.default_rng(0)
    half = _halves(dataset)
    sets: dict[int, tuple[list[NDArray[np.float32]], list[int]]] = {0: ([], []), 1: ([], [])}
    for code in range(len(dataset.cell_lines)):
        pools = [np.flatnonzero((dataset.cell == code) & (half == side)) for side in (0, 1)]
        if not all(len(pool) for pool in pools):
            continue
        for side, pool in enumerate(pools):
            for _ in range(SETS):
                chosen = rng.choice(pool, size=min(SIZE, len(pool)), replace=False)
                sets[side][0].append(statistics.of(chosen).mean(0))
                sets[side][1].append(code)
    lines = len(set(sets[0][1]))
    if lines < 2:
        return []
    (x, y), (other, truth) = ((np.stack(means), np.asarray(codes)) for means, codes in sets.values())
    each = statistics.width // 2
    length = np.isin(np.arange(statistics.width), [1, each + 1])
    rows = []
    for name, columns in (
        ("lengths", length),
        ("composition (GC, 3-mers)", ~length),
        ("both", length | ~length),
    ):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(x[:, columns], y)
        accuracy = float((model.predict(other[:, columns]) == truth).mean())
        rows.append({"seen": name, "named rightly": accuracy, "by chance": 1 / lines})
    return rows


def _halves(dataset: EncodedDataset) -> NDArray[np.int64]:
    """0 or 1 [N]: chromosomes in order of their pairs, by turns; pairs by chance where there is one chromosome."""
    sizes = np.bincount(dataset.chrom, minlength=len(dataset.chromosomes))
    if len(sizes) < 2:
        return np.random.default_rng(1).integers(0, 2, len(dataset))
    half = np.empty(len(sizes), dtype=np.int64)
    half[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes)) % 2
    return np.asarray(half[dataset.chrom])
