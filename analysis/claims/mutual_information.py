"""Prediction mutual information: what z_I tells of z_E is near 0."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.claims.claim import Claim, ClaimPart, LineValue, below, change_of, span, unevaluated
from analysis.claims.information import DIRECTIONS, NEIGHBOURS, excess
from analysis.claims.inputs import KNOWN, ClaimInputs, by_unit, over_seeds
from analysis.independence import measure, other_than

KEY = "mutual information"
STATEMENT = "decoupling works: the mutual information of z_I and z_E is near 0"
NEAR = 0.05
"""Nats that are near 0: those of two normal variables of correlation 0.31."""
ALIKE = 1e-3
"""Cell lines whose z_E differ by less than this share of their spread are one value of z_E."""
NAMES = {"hsic": "HSIC", "distance": "distance correlation"}
Array = np.ndarray


def mutual_information(inputs: ClaimInputs) -> Claim:
    """I(z_I; z_E) of held-out pairs, z_E being that of the pair's cell line (draw 0), per unit less its permutation null;
    nearest neighbours, on which no loss term trains, and beside it a kernel estimate of another kind than those trained on.

    At cell scope z_E takes one value per cell line, so that there are at most ln(cell lines) nats. The null permutes cell
    lines over pairs; what a cell line's share of positives does is told apart by permuting within labels.
    """
    missing = inputs.embedding_missing() or ("the table pair_vectors" if inputs.vectors.empty else "")
    if missing:
        return Claim(KEY, STATEMENT, (unevaluated("near 0", missing),))
    table = pd.DataFrame([_unit(inputs, fold, seed, rows) for fold, seed, rows in by_unit(inputs.vectors)])
    if table["excess"].isna().any():
        missing = (
            "z_E that differ between two cell lines (they are all one value: there is nothing to depend on)"
        )
        return Claim(KEY, STATEMENT, (unevaluated("near 0", missing),))
    interval, held = over_seeds(table, "excess"), over_seeds(table, "conditional")
    answer = below(interval, NEAR)
    dependent = int((table["p"] < 0.05).sum())
    evidence = (
        f"outside its null (p < 0.05) in {dependent} of {len(table)} units; at most {table['most'].max():.2f} nats are "
        "there to be told",
        f"with the label held: {held.mean:+.3f} nats{span(held, 3)}",
        f"{NAMES[other_than(inputs.decoupled)]}: {table['kernel'].mean():.3f}, outside its null in "
        f"{int((table['kernel_p'] < 0.05).sum())} of {len(table)} units",
        f"{NEIGHBOURS} nearest neighbours in {DIRECTIONS} leading directions; the stored ones hold "
        f"{inputs.vectors['share'].min():.0%} of the variance of z_I",
    )
    return Claim(
        KEY,
        STATEMENT,
        (
            ClaimPart(
                "near 0",
                answer,
                "nats above the null",
                interval,
                NEAR,
                evidence,
                _lines(inputs.vectors),
                change_of(interval, NEAR, answer),
            ),
        ),
    )


def _unit(inputs: ClaimInputs, fold: str, seed: int, rows: pd.DataFrame) -> dict[str, Any]:
    embedded = inputs.embeddings
    here = embedded[(embedded["fold"] == fold) & (embedded["seed"] == seed) & (embedded["draw"] == 0)]
    vectors = dict(zip(zip(here["split"], here["cell_line"], strict=True), here["z_e"], strict=True))
    z_e = np.stack([vectors[key] for key in zip(rows["split"], rows["cell_line"], strict=True)]).astype(
        np.float64
    )
    z_i, classes = np.stack(list(rows["z_i"])).astype(np.float64), values_of(z_e)
    nats, p, conditional = excess(z_i, classes, rows["label"].to_numpy(), np.random.default_rng(seed))
    shares = np.bincount(classes) / len(classes)
    kernel = measure(z_i, z_e, estimator=other_than(inputs.decoupled), permutations=99, most=256, seed=seed)
    return {
        "fold": fold,
        "seed": seed,
        "excess": nats,
        "p": p,
        "conditional": conditional,
        "most": -float((shares * np.log(shares)).sum()),
        "kernel": kernel.value,
        "kernel_p": kernel.p,
    }


def values_of(z_e: Array) -> Array:
    """Codes [n] of the different values of z_E [n, w]: those closer than `ALIKE` of the spread are one."""
    spread = float(z_e.std(0).max())
    if spread <= 1e-6 * float(np.abs(z_e).max()):
        return np.zeros(len(z_e), dtype=np.int64)
    codes: Array = np.unique(np.round(z_e / (ALIKE * spread)), axis=0, return_inverse=True)[1]
    return codes.ravel()


def _lines(vectors: pd.DataFrame) -> tuple[LineValue, ...]:
    """How far the mean z_I of a cell line lies from that of all, in their SDs, as a mean over units."""
    shifts: dict[tuple[str, str], list[float]] = {}
    for _, _, rows in by_unit(vectors):
        z = np.stack(list(rows["z_i"])).astype(np.float64)
        spread = max(float(np.sqrt(z.var(0).sum())), 1e-12)
        places = list(zip(rows["cell_line"].astype(str), rows["split"].astype(str), strict=True))
        for key in dict.fromkeys(places):
            at = np.array([place == key for place in places])
            shifts.setdefault(key, []).append(float(np.linalg.norm(z[at].mean(0) - z.mean(0))) / spread)
    return tuple(
        LineValue(line, "shift of mean z_I in SDs", float(np.mean(each)), "" if split in KNOWN else "unseen")
        for (line, split), each in sorted(shifts.items())
    )
