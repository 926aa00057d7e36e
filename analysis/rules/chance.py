"""Could these unseen pairs have shown a healthy AUC at all? Power of a test that compares an AUC with chance."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords, number
from analysis.rules.rule import Reading
from analysis.schema import MACRO, POOLED

CHANCE, HEALTHY = 0.5, 0.6
"""AUC of chance, and of the least model that is called healthy."""
POWER = 0.8
"""Chance of telling the two apart, below which a test says nothing."""
UNDERPOWERED = "underpowered"
"""How a reason begins that names no missing input, but too few pairs."""
ASSUMED_EFFECT = 3.0
"""Design effect of 2 Mb loci where a store has none: the largest of 1.6 to 3.1 that sequence scores had on real pairs."""

Floats = NDArray[np.float64]
_OF_POOLED = ("recall", "precision", "prevalence")
_OF_LINES = ("auc", "n", "positives")


def hanley_mcneil(auc: float, positives: ArrayLike, negatives: ArrayLike) -> Floats:
    """Standard error of an AUC of this size with P positives and N negatives, all independent.

    SE^2 = (A (1 - A) + (P - 1)(Q1 - A^2) + (N - 1)(Q2 - A^2)) / (P N), Q1 = A / (2 - A), Q2 = 2 A^2 / (1 + A).
    Source: Hanley and McNeil 1982, "The meaning and use of the area under a ROC curve", Radiology 143.
    """
    p, n = np.asarray(positives, dtype=np.float64), np.asarray(negatives, dtype=np.float64)
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (p - 1) * (first - auc**2) + (n - 1) * (second - auc**2)
    return np.asarray(np.sqrt(variance / (p * n)))


def power(se_chance: ArrayLike, se_healthy: ArrayLike) -> Floats:
    """Phi((0.1 - 1.96 se0) / se1): how often a model of AUC 0.6 is told from chance at 5 %."""
    se0, se1 = np.asarray(se_chance), np.asarray(se_healthy)
    return np.asarray(norm.cdf((HEALTHY - CHANCE - norm.ppf(0.975) * se0) / se1))


def judged_together(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per evaluation (`unit`, `epoch`, `final`) of the unseen cell lines taken together.

    rows: unseen rows of `cells` with unit, epoch, final, cell_line and the columns named here; a cell line of one class
    has no AUC and is left out. auc is the mean over cell lines weighted by pairs, never of pooled ranks; its standard
    errors are those of Hanley and McNeil at 0.5 and 0.6, inflated by the pooled row's design effect (`known` 1) or by
    `ASSUMED_EFFECT` (0). upper = auc + 1.96 se1. recall, precision and prevalence are the pooled row's. Evaluations
    without a pooled row or without any AUC are absent.
    """
    key = ["unit", "epoch", "final"]
    pooled = (
        rows[rows["cell_line"] == POOLED].dropna(subset=list(_OF_POOLED)).drop_duplicates(key, keep="last")
    )
    lines = rows[~rows["cell_line"].isin([MACRO, POOLED])].dropna(subset=list(_OF_LINES))
    negatives = lines["n"] - lines["positives"]
    lines = lines.assign(negatives=negatives)[(negatives > 0) & (lines["positives"] > 0)]
    sizes = (lines["positives"].to_numpy(), lines["negatives"].to_numpy())
    weight = lines["n"].to_numpy(dtype=np.float64)
    parts = lines[[*key, "positives", "negatives"]].assign(
        weight=weight,
        auc=weight * lines["auc"].to_numpy(),
        chance=(weight * hanley_mcneil(CHANCE, *sizes)) ** 2,
        healthy=(weight * hanley_mcneil(HEALTHY, *sizes)) ** 2,
        lines=1.0,
    )
    sums = parts.groupby(key, sort=False).sum().reset_index()
    found = pooled[[*key, *_OF_POOLED, "auc_design_effect"]].merge(sums, on=key)
    known = found["auc_design_effect"].notna()
    effect = found["auc_design_effect"].astype(float).where(known, ASSUMED_EFFECT)
    errors = [np.sqrt(effect * found[name]) / found["weight"] for name in ("chance", "healthy")]
    auc = found["auc"] / found["weight"]
    return found.assign(
        auc=auc,
        upper=auc + norm.ppf(0.975) * errors[1],
        power=power(*errors),
        known=known.astype(float),
    )


VALUES = (*_OF_POOLED, "auc", "upper", "power", "positives", "negatives", "lines", "known")
"""Columns of `judged_together` that are the values of a reading."""


def chance_readings(unit: UnitRecords) -> list[Reading]:
    """The evaluations of one unit, in order of epoch; none where an input is missing."""
    rows = [_row(row) for row in unit.unseen()]
    if not rows:
        return []
    together = judged_together(pd.DataFrame(rows))
    return [
        Reading(
            {name: float(row[name]) for name in VALUES}, int(row["epoch"]), POOLED, POOLED, bool(row["final"])
        )
        for row in together.sort_values(["epoch", "final"]).to_dict("records")
    ]


def run_chance_readings(run: RunColumns) -> Readings:
    """The evaluations of all units."""
    rows = run.unseen.assign(final=(run.unseen["selection"] != "epoch").to_numpy())
    rows = rows.assign(cell_line=rows["cell_line"].astype(object))
    together = judged_together(rows)
    return Readings(
        together["unit"].to_numpy(dtype=int),
        np.full(len(together), -1),
        together["epoch"].to_numpy(dtype=float),
        together["final"].to_numpy(dtype=bool),
        {name: together[name].to_numpy(dtype=float) for name in VALUES},
        np.full(len(together), POOLED, dtype=object),
    )


def _row(row: Mapping[str, object]) -> dict[str, object]:
    columns: Iterable[str] = (*_OF_POOLED, *_OF_LINES, "auc_design_effect")
    numbers: Sequence[tuple[str, float | None]] = [(name, number(row, name)) for name in columns]
    place = {
        "unit": 0,
        "epoch": row["epoch"],
        "final": row["selection"] != "epoch",
        "cell_line": row["cell_line"],
    }
    return {**place, **{name: np.nan if value is None else value for name, value in numbers}}
