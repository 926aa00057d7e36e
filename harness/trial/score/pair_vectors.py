"""Rows of `pair_vectors`: z_I of a bounded sample of validation pairs, from which the analysis tells what it holds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.trial.episodes.sampler import rng
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.predict import SplitScores

Row = dict[str, Any]
SPLITS = ("val_seen", VALIDATION)
"""Splits that are sampled: pairs at held-out loci, of training and of unseen cell lines; never of test."""
PAIRS = 512
"""Most pairs of a unit."""
DIRECTIONS = 16
"""Most coordinates of a pair; with `PAIRS`, 32 kB a unit."""


def pair_vector_rows(scores: Mapping[str, SplitScores], cell_lines: Sequence[str], seed: int) -> list[Row]:
    """z_I of as many pairs of every cell line, in the directions in which those of all of them vary most.

    Of a cell line with fewer pairs all are taken. The others are drawn from the stream (seed, "pair_vectors", split,
    cell line), from which nothing else draws. z = (z_I - mean) V, V [d, k] the first right singular vectors of the
    centred sample, each with its largest entry positive; `share`, of the squared deviations, is what they keep.
    A z_I that is not finite leaves no rows.
    """
    lines = [(name, code) for name in SPLITS for code in np.unique(scores[name].cell).tolist()]
    sampled = [
        (name, at)
        for name, code in lines
        for at in _sampled(scores[name], cell_lines[code], code, PAIRS // len(lines), seed)
    ]
    z = np.stack([scores[name].z_i[at] for name, at in sampled]).astype(np.float64)
    if not np.isfinite(z).all():
        return []
    kept, share = leading(z, DIRECTIONS)
    return [
        {
            "split": name,
            "pair": int(scores[name].pairs[at]),
            "cell_line": cell_lines[scores[name].cell[at]],
            "label": int(scores[name].label[at]),
            "z_i": vector,
            "share": share,
        }
        for (name, at), vector in zip(sampled, kept.astype(np.float32).tolist(), strict=True)
    ]


def leading(vectors: np.ndarray, most: int) -> tuple[np.ndarray, float]:
    """Centred vectors [n, d] in at most `most` principal directions [n, k], and the share of their squares that is kept;
    1 where they do not vary."""
    centred = vectors - vectors.mean(0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    chosen = directions[:most]
    largest = np.abs(chosen).argmax(1)
    chosen = chosen * np.where(chosen[np.arange(len(chosen)), largest] < 0, -1.0, 1.0)[:, None]
    squares = values**2
    whole = float(squares.sum())
    return centred @ chosen.T, float(squares[:most].sum()) / whole if whole else 1.0


def _sampled(part: SplitScores, line: str, code: int, most: int, seed: int) -> np.ndarray:
    positions = np.flatnonzero(part.cell == code)
    if len(positions) <= most:
        return positions
    return np.sort(rng(seed, "pair_vectors", part.split, line).choice(positions, size=most, replace=False))
