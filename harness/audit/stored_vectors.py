"""Stored vectors of `pair_vectors` against z_I of the scores that were stored: of which pairs, and in which coordinates."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.trial.episodes.sampler import rng
from harness.trial.score.predict import SplitScores

SPLITS = ("val_seen", "val_unseen")
PAIRS, DIRECTIONS = 512, 16
"""Most pairs of a unit, and most coordinates of a pair, as docs/store.md promises them."""
CLOSE = 1e-4
"""Largest residual of a principal direction, and difference of their squares, relative to the largest."""
Row = Mapping[str, Any]


def strange_vectors(
    rows: Sequence[Row], scores: Mapping[str, SplitScores], cell_lines: Sequence[str], seed: int
) -> Iterator[str]:
    """A sentence on the first thing in rows of `pair_vectors` that is not made of the scores: pairs that were not drawn,
    a label or cell line of another pair, and vectors that are not z_I of their pairs in its principal directions."""
    promised = _promised(scores, cell_lines, seed)
    places = list(promised)
    z = np.array([scores[split].z_i[at] for split, at in promised.values()], dtype=np.float64)
    if not np.isfinite(z).all():
        if rows:
            yield "z_I is not finite, and vectors of it are stored"
        return
    stored = [(row["split"], row["pair"]) for row in rows]
    if stored != places:
        other = next((each for each in stored if each not in promised), None)
        named = (
            "some lack, or stand elsewhere"
            if other is None
            else f"{other[0]}, pair {other[1]} is none of them"
        )
        yield f"vectors of {len(stored)} pairs are stored, and {len(places)} were drawn for it: {named}"
        return
    for row, (split, at) in zip(rows, promised.values(), strict=True):
        part = scores[split]
        for name, real in (("cell_line", cell_lines[part.cell[at]]), ("label", int(part.label[at]))):
            if row[name] != real:
                yield f"split {split}, pair {row['pair']}: {name} of its vector is stored as {row[name]}, and it is {real}"
                return
    told = _unlike(
        np.array([row["z_i"] for row in rows], dtype=np.float64), z, [row["share"] for row in rows]
    )
    if told:
        yield f"the stored vectors are not z_I of their pairs: {told}"


def strange_outputs(
    again: Mapping[str, tuple[np.ndarray, np.ndarray, float]], scores: Mapping[str, SplitScores]
) -> Iterator[str]:
    """A sentence on the first pair of which the scores have another z_I than the weights of the checkpoint's file give;
    `again`: by split pairs [n], z_I [n, d], and how far the two may be apart beside CLOSE (1 + their size). Pairs that
    were not scored are passed over."""
    for split, (every, of_every, allowed) in again.items():
        part = scores[split]
        known = np.isin(every, part.pairs)
        pairs, z_i = every[known], of_every[known]
        order = np.argsort(part.pairs)
        told = part.z_i[order[np.searchsorted(part.pairs, pairs, sorter=order)]].astype(np.float64)
        size = np.abs(z_i).max(axis=1, initial=0.0)
        wrong = ~(np.abs(told - z_i).max(axis=1, initial=0.0) <= CLOSE * (1.0 + size) + allowed)
        if wrong.any():
            pair = pairs[int(np.argmax(wrong))]
            yield f"split {split}, pair {pair}: z_I of the scores is not what the weights of the checkpoint's file give"
            return


def _promised(
    scores: Mapping[str, SplitScores], cell_lines: Sequence[str], seed: int
) -> dict[tuple[str, int], tuple[str, int]]:
    """(split, pair) -> (split, position in its scores) of every pair that is drawn, in the order of the rows."""
    lines = [(name, code) for name in SPLITS for code in np.unique(scores[name].cell).tolist()]
    promised: dict[tuple[str, int], tuple[str, int]] = {}
    for name, code in lines:
        part = scores[name]
        at, most = np.flatnonzero(part.cell == code), PAIRS // len(lines)
        if len(at) > most:
            draws = rng(seed, "pair_vectors", name, cell_lines[code])
            at = np.sort(draws.choice(at, size=most, replace=False))
        promised |= {(name, int(part.pairs[position])): (name, position) for position in at.tolist()}
    return promised


def _unlike(stored: np.ndarray, z: np.ndarray, shares: Sequence[float]) -> str:
    """Why stored vectors [n, k] are not z [n, d] in its leading principal directions; empty where they are.

    S = C V with C the centred z and V its first right singular vectors, each to its sign, if and only if S'S is diagonal
    with the largest eigenvalues of C'C and C C' S = S S'S.
    """
    centred = z - z.mean(0)
    squares = np.linalg.eigvalsh(centred.T @ centred)[::-1].clip(min=0.0)
    kept = squares[:DIRECTIONS]
    if stored.shape != (len(z), min(DIRECTIONS, *z.shape)):
        return f"they have {stored.shape[-1]} coordinates"
    largest, whole = float(squares[0]), float(squares.sum())
    kept = kept[: stored.shape[1]]
    residual = np.linalg.norm(centred @ (centred.T @ stored) - stored * kept, axis=0)
    lengths = np.abs((stored**2).sum(0) - kept)
    if largest and (residual > CLOSE * largest**1.5).any():
        return f"coordinate {int(np.argmax(residual)) + 1} is none of their principal directions"
    if largest and (lengths > CLOSE * largest).any():
        return f"coordinate {int(np.argmax(lengths)) + 1} does not vary as they do"
    share = float(kept.sum()) / whole if whole else 1.0
    if any(not abs(each - share) <= CLOSE for each in shares):
        return f"share is {shares[0]:.6g}, and these directions keep {share:.6g}"
    return ""
