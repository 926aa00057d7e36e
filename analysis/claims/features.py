"""Prediction features: z_E of an unseen cell line lies in the convex hull of those of the training ones."""

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import comb

from analysis.claims.claim import NOTHING, Claim, ClaimPart, LineValue, below, change_of, span, unevaluated
from analysis.claims.hull import directions, hull_distance, left_out
from analysis.claims.inputs import KNOWN, UNIT, UNSEEN, ClaimInputs, by_unit, over_seeds
from analysis.schema import MACRO

KEY = "features"
STATEMENT = (
    "the map to z_E extrapolates: an unseen cell line's z_E lies in the convex hull of the training ones'"
)
LIMIT = 2.0
"""Distance from the hull over that of training cell lines from each other's, up to which a cell line is no stranger."""
FEWEST_LINES = 4
PERMUTATIONS = 999
Array = np.ndarray


def features(inputs: ClaimInputs, placebo: ClaimInputs | None = None) -> Claim:
    """Distance of unseen cell lines from the training ones' hull, over the mean distance of a training cell line from the
    hull of the others (leading two directions of the training cell lines, mean z_E over support draws), per unit.

    Beside it the AUPR lost there, what relabelled cell lines would give (v_c permuted between them after training), and
    `placebo`, a configuration that was trained on permuted v_c.
    """
    missing = inputs.embedding_missing()
    if not missing and inputs.source == "id":
        missing = (
            "a map to z_E (environment.source id gives every unseen cell line the mean of the training ones)"
        )
    if missing:
        return Claim(KEY, STATEMENT, (unevaluated("inside", missing),))
    rows = distances(inputs.embeddings)
    if rows.empty:
        missing = f"{FEWEST_LINES} training cell lines whose z_E differ, and an unseen one"
        return Claim(KEY, STATEMENT, (unevaluated("inside", missing),))
    interval = over_seeds(rows[rows["unseen"]], "ratio")
    p = permutation_p(rows)
    answer = below(interval, LIMIT)
    inside = rows.loc[rows["unseen"], "ratio"]
    lost = aupr_lost(inputs)
    evidence = [
        f"{(inside < 1e-9).mean():.0%} of unseen z_E lie inside, {(inside <= LIMIT).mean():.0%} within {LIMIT:g}; of "
        f"training ones {(rows.loc[~rows['unseen'], 'ratio'] < 1e-9).mean():.0%} inside the others' hull",
        f"permuted v_c: relabelled cell lines lie as far out with p {p:.3f} (at least {smallest_p(rows):.3f})",
    ]
    evidence += _against_placebo(inputs, placebo)
    by_line = rows[rows["unseen"]].groupby("cell_line", observed=True)["ratio"].mean()
    both = pd.concat([by_line, lost], axis=1, keys=["ratio", "lost"]).loc[by_line.index]
    if both["lost"].notna().sum() >= FEWEST_LINES:
        rank = stats.spearmanr(both["ratio"], both["lost"], nan_policy="omit")
        evidence.append(
            f"distance and AUPR lost: rank correlation {rank.statistic:+.2f}, p {rank.pvalue:.3f}"
        )
    part = ClaimPart(
        "inside",
        answer,
        "distance / training ones'",
        interval,
        LIMIT,
        tuple(evidence),
        tuple(_line(str(name), row["ratio"], row["lost"]) for name, row in both.iterrows()),
        change_of(interval, LIMIT, answer),
    )
    return Claim(KEY, STATEMENT, (part,))


def distances(embeddings: pd.DataFrame) -> pd.DataFrame:
    """fold, seed, cell_line, unseen, ratio and apart (the same in the hull of all other cell lines, trained on or not, over
    the unit's mean), for units with enough training cell lines, of which z_E vary."""
    rows = []
    for fold, seed, unit in by_unit(embeddings):
        known, unseen = (_vectors(unit[unit["split"].isin(splits)]) for splits in (KNOWN, UNSEEN))
        if len(known) < FEWEST_LINES or not unseen:
            continue
        training = np.stack(list(known.values()))
        axes, middle = directions(training), training.mean(0)
        points = (training - middle) @ axes.T
        strangers = (np.stack(list(unseen.values())) - middle) @ axes.T
        usual = left_out(points)
        if not usual.mean() > 1e-9 * np.abs(training).max():
            continue
        ratio = [*usual, *(hull_distance(point, points) for point in strangers)] / usual.mean()
        apart = left_out(np.vstack([points, strangers]))
        rows += [
            {
                "fold": fold,
                "seed": seed,
                "cell_line": name,
                "unseen": name in unseen,
                "ratio": each,
                "apart": other,
            }
            for name, each, other in zip(
                [*known, *unseen], ratio, apart / max(apart.mean(), 1e-300), strict=True
            )
        ]
    return pd.DataFrame(rows)


def _vectors(rows: pd.DataFrame) -> dict[str, Array]:
    """Cell line -> mean z_E over its support draws."""
    return {
        str(name): np.stack(list(of["z_e"])).astype(np.float64).mean(0)
        for name, of in rows.groupby("cell_line", observed=True)
    }


def permutation_p(rows: pd.DataFrame) -> float:
    """Share of ways to call as many cell lines of a fold unseen in which those lie at least as far out, each in the hull of
    all others; the observed one counted in."""
    random, folds = np.random.default_rng(0), []
    for _, fold in rows.groupby("fold"):
        lines = fold.groupby("cell_line", observed=True)[["apart", "unseen"]].mean()
        folds.append(
            (lines["apart"].to_numpy(), int((lines["unseen"] > 0).sum()), lines["unseen"].to_numpy() > 0)
        )
    observed = np.mean([apart[unseen].mean() for apart, _, unseen in folds])
    null = [
        np.mean([random.choice(apart, count, replace=False).mean() for apart, count, _ in folds])
        for _ in range(PERMUTATIONS)
    ]
    return (1 + int((np.array(null) >= observed - 1e-12).sum())) / (1 + PERMUTATIONS)


def smallest_p(rows: pd.DataFrame) -> float:
    """The smallest p that so many cell lines allow: one over the ways to choose the unseen ones."""
    ways = 1.0
    for _, fold in rows.groupby("fold"):
        lines = fold.groupby("cell_line", observed=True)["unseen"].max()
        ways *= float(comb(len(lines), int(lines.sum())))
    return max(1 / ways, 1 / (1 + PERMUTATIONS))


def aupr_lost(inputs: ClaimInputs) -> pd.Series:
    """Cell line -> macro AUPR of val_seen less that of the cell line in val_unseen, mean over units."""
    cells = inputs.cells
    cells = cells[(cells["prevalence_mode"] == "as_found") & (cells["score"] == "corrected")]
    seen = cells[(cells["split"] == "val_seen") & (cells["cell_line"] == MACRO)].set_index(UNIT)["aupr"]
    unseen = cells[(cells["split"] == "val_unseen") & cells["aupr"].notna()]
    lost = unseen.assign(
        lost=seen.reindex(pd.MultiIndex.from_frame(unseen[UNIT])).to_numpy() - unseen["aupr"]
    )
    means: pd.Series = lost.groupby("cell_line", observed=True)["lost"].mean()
    return means


def _against_placebo(inputs: ClaimInputs, placebo: ClaimInputs | None) -> list[str]:
    if inputs.source != "features":
        return []
    if placebo is None:
        return [
            "trained on permuted v_c: not evaluated, the run has no such arm (leave_one_out of a base with features)"
        ]
    merged = inputs.units.merge(placebo.units, on=UNIT, suffixes=("", "_placebo"))
    gain = over_seeds(merged.assign(gain=merged["aupr"] - merged["aupr_placebo"]), "gain")
    other = distances(placebo.embeddings)
    ratio = over_seeds(other[other["unseen"]], "ratio") if len(other) else NOTHING
    return [
        f"against an arm trained on permuted v_c: unseen AUPR {gain.mean:+.4f}{span(gain, 4)}, its "
        f"own distance ratio {ratio.mean:.2f}"
    ]


def _line(name: str, ratio: float, lost: float) -> LineValue:
    where = "inside" if ratio < 1e-9 else "no stranger" if ratio <= LIMIT else "outside"
    return LineValue(
        name,
        "distance / training ones'",
        ratio,
        where + ("" if np.isnan(lost) else f", AUPR lost {lost:+.3f}"),
    )
