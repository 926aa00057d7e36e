"""Prediction environment: R_S of an unseen cell line differs from the training mean, and R_S tells cell lines apart."""

import math

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import silhouette_score

from analysis.claims.claim import Answer, Claim, ClaimPart, LineValue, above, change_of, unevaluated
from analysis.claims.inputs import KNOWN, UNSEEN, ClaimInputs, by_unit, over_seeds
from analysis.power import ALPHA

KEY = "environment"
STATEMENT = "R_S of an unseen cell line differs from the training mean, and R_S tells cell lines apart"
PARTS = ("differs", "tells apart")
NOISE = 1.5
"""Distance from the training mean, over the noise of R_S, up to which an unseen cell line's R_S is not its own."""
BEYOND_CHANCE = 2.0
"""Accuracy over that of chance from which R_S tells cell lines apart."""
FEWEST_LINES = 3
PERMUTATIONS = 999
Array = np.ndarray


def environment(inputs: ClaimInputs) -> Claim:
    """R_S over support draws. Its noise is that of fresh support sets: what R_S of a training cell line moves between the
    pairs that were trained on and those at held-out loci, less what all move; draws of one pool of pairs agree too well.

    differs: root mean square distance of unseen cell lines from the training mean over that noise, against F. tells apart:
    nearest centroid of draws of trained pairs, for draws of held-out pairs, against permuted cell lines.
    """
    missing = inputs.embedding_missing()
    if not missing and inputs.source == "id":
        missing = "a Student (environment.source id reads no support set)"
    each = [] if missing else [_unit(fold, seed, rows) for fold, seed, rows in by_unit(inputs.embeddings)]
    units = [unit for unit in each if unit]
    if not missing and not units:
        missing = f"R_S of {FEWEST_LINES} training cell lines on trained and on held-out pairs, and of an unseen one"
    if missing:
        return Claim(KEY, STATEMENT, tuple(unevaluated(name, missing) for name in PARTS))
    table = pd.DataFrame(units)
    return Claim(KEY, STATEMENT, (_differs(table), _tells(table)))


def _unit(fold: str, seed: int, rows: pd.DataFrame) -> dict[str, object]:
    """What a unit says; empty where it has too few cell lines."""
    rows = rows.dropna(subset=["r_student"])
    draws: dict[tuple[str, str], Array] = {}
    for split, line in rows[["split", "cell_line"]].astype(str).drop_duplicates().itertuples(index=False):
        at = (rows["split"] == split) & (rows["cell_line"] == line)
        draws[split, line] = rows.loc[at, "r_student"].to_numpy(dtype=np.float64)
    fresh_lines = {line for split, line in draws if split in KNOWN}
    known = sorted(line for split, line in draws if split == "train" and line in fresh_lines)
    unseen = {line: r for (split, line), r in draws.items() if split in UNSEEN}
    if len(known) < FEWEST_LINES or not unseen:
        return {}
    fitted = np.array([draws["train", line].mean() for line in known])
    held = np.array([draws[KNOWN[0], line].mean() for line in known])
    far = {line: abs(float(r.mean() - held.mean())) for line, r in unseen.items()}
    whole = np.array([*fitted, *held, *(r.mean() for r in unseen.values())])
    moved, least = float((held - fitted).std(ddof=1)), 1e-3 * float(whole.std())
    noise = max(moved, least)
    constant = whole.std() <= 1e-6 * max(float(np.abs(whole).max()), 1e-12)
    fresh = [draws[KNOWN[0], line] for line in known]
    labels = np.repeat(np.arange(len(known)), [len(each) for each in fresh])
    values = np.concatenate(fresh)
    nearest = np.abs(values[:, None] - fitted).argmin(1)
    separable = not constant and len(values) > len(known) > 1
    return {
        "fold": fold,
        "seed": seed,
        "distance": 0.0 if constant else math.sqrt(float(np.mean([d**2 for d in far.values()]))) / noise,
        "lines": {line: 0.0 if constant else d / noise for line, d in far.items()},
        "unseen": len(unseen),
        "known": len(known),
        "accuracy": 1 / len(known) if constant else float((nearest == labels).mean()),
        "confusion": np.array([np.bincount(nearest[labels == k], minlength=len(known)) / (labels == k).sum()
                               for k in range(len(known))]),
        "names": known,
        "silhouette": float(silhouette_score(values[:, None], labels)) if separable else 0.0,
        "constant": constant,
        "noiseless": moved < least,
    }  # fmt: skip


def _differs(table: pd.DataFrame) -> ClaimPart:
    interval = over_seeds(table, "distance")
    unseen, known = int(table["unseen"].iloc[0]), int(table["known"].iloc[0])
    folds = int(table["fold"].nunique())
    limit = max(NOISE, math.sqrt(float(stats.f.ppf(1 - ALPHA, unseen * folds, (known - 1) * folds))))
    answer: Answer = "undecided"
    if interval.low > limit:
        answer = "supported"
    elif interval.high < NOISE:
        answer = "refuted"
    lines: dict[str, list[float]] = {}
    for each in table["lines"]:
        for name, value in each.items():
            lines.setdefault(name, []).append(value)
    evidence = [
        f"noise alone gives less than {limit:.2f} in 19 of 20 cases of {unseen} unseen and {known} training cell lines"
        + (f", {folds} folds" if folds > 1 else "")
    ]
    if table["constant"].any():
        evidence.append(
            f"R_S is the same for every cell line in {int(table['constant'].sum())} of {len(table)} units"
        )
    elif table["noiseless"].any():
        evidence.append(
            "R_S does not move with its support set: it is a map of v_c, or of the cell line's name"
        )
    edge = limit if interval.mean > NOISE else NOISE
    return ClaimPart(
        PARTS[0],
        answer,
        "distance from the training mean / noise",
        interval,
        edge,
        tuple(evidence),
        tuple(
            LineValue(
                name, "distance / noise", float(np.mean(values)), "differs" if np.mean(values) > limit else ""
            )
            for name, values in sorted(lines.items())
        ),
        change_of(interval, edge, answer),
    )


def _tells(table: pd.DataFrame) -> ClaimPart:
    chance = float((1 / table["known"]).mean())
    interval, limit = over_seeds(table, "accuracy"), BEYOND_CHANCE * chance
    p = 1.0 if table["constant"].all() else _permutation_p(table)
    answer = above(interval, limit)
    if answer == "supported" and p >= ALPHA:
        answer = "undecided"
    silhouette = over_seeds(table, "silhouette")
    right: dict[str, list[float]] = {}
    for names, confusion in zip(table["names"], table["confusion"], strict=True):
        for at, name in enumerate(names):
            right.setdefault(name, []).append(float(confusion[at, at]))
    evidence = (
        f"chance {chance:.2f}; p {p:.3f} against permuted cell lines",
        f"silhouette of held-out draws {silhouette.mean:+.2f} (draws of one pool of pairs: it flatters)",
    )
    return ClaimPart(
        PARTS[1],
        answer,
        "accuracy of the nearest centroid",
        interval,
        limit,
        evidence,
        tuple(LineValue(name, "told right", float(np.mean(each))) for name, each in sorted(right.items())),
        change_of(interval, limit, answer),
    )


def _permutation_p(table: pd.DataFrame) -> float:
    """Share of permutations of a fold's cell lines (the same in all of its seeds) with at least that mean accuracy."""
    random = np.random.default_rng(0)
    # Every seed of a fold has the same cell lines, and shares their pairs: what is permuted is the fold's mean.
    folds = [np.mean(list(rows), axis=0) for _, rows in table.groupby("fold")["confusion"]]
    observed = np.mean([np.trace(each) / len(each) for each in folds])
    null = [
        np.mean([each[np.arange(len(each)), random.permutation(len(each))].mean() for each in folds])
        for _ in range(PERMUTATIONS)
    ]
    return (1 + int((np.array(null) >= observed - 1e-12).sum())) / (1 + PERMUTATIONS)
