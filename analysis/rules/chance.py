"""Could these unseen pairs have shown a healthy AUC at all? Power of a test that compares an AUC with chance."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from analysis.rules.readings import Readings
from analysis.rules.table import Floats, codes, evaluation, last_of_each, paired
from analysis.rules.units import Units
from analysis.schema import MACRO, POOLED

CHANCE, HEALTHY = 0.5, 0.6
"""AUC of chance, and of the least model that is called healthy."""
KNOWS_NOTHING = 0.55
"""AUC below which nothing is known that a ranking could be made of, however many pairs show it."""
POWER = 0.8
"""Chance of telling the two apart, below which a test says nothing."""
UNDERPOWERED = "underpowered"
"""How a reason begins that names no missing input, but too few pairs."""
UNTOLD = f"the unseen pairs do not tell an AUC of {HEALTHY:g} from {CHANCE:g}"
"""Why figures that lean on an AUC are underpowered, in words."""
ASSUMED_EFFECT = 3.0
"""Design effect of 2 Mb loci where a store has none: the largest of 1.6 to 3.1 that sequence scores had on real pairs."""

BOUND = float(ndtri(0.975))
"""Standard errors on either side of a 95 % interval."""
_OF_POOLED = ("recall", "precision", "prevalence")


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
    return np.asarray(ndtr((HEALTHY - CHANCE - BOUND * se0) / se1))


def underpowered(values: Mapping[str, float], judged: str) -> str:
    """Why a clause on chance says nothing of a reading, and what was `judged` in its place, in words."""
    effect = (
        "as measured"
        if values["known"]
        else f"assumed to be {ASSUMED_EFFECT:g} as no loci resample both labels"
    )
    return (
        f"{UNDERPOWERED}: {values['positives']:.0f} positive and {values['negatives']:.0f} negative unseen pairs tell an "
        f"AUC of {HEALTHY:g} from chance with a power below {POWER:g} (design effect of their loci {effect}); {judged} "
        "was judged"
    )


def lines_of(values: Mapping[str, float]) -> str:
    """`1 unseen cell line`: those that the AUC of a reading is over."""
    return f"{values['lines']:.0f} unseen cell line" + ("" if values["lines"] == 1 else "s")


def chance_readings(units: Units) -> Readings:
    """One reading per evaluation of the unseen cell lines taken together, in the series of all pairs.

    A cell line of one class has no AUC and is left out. auc is the mean over cell lines weighted by pairs, never of
    pooled ranks; its standard errors are those of Hanley and McNeil at 0.5 and 0.6, inflated by the pooled row's design
    effect (`known` 1) or by `ASSUMED_EFFECT` (0). upper = auc + 1.96 se1, lower = auc - 1.96 se0. recall, precision and
    prevalence are the pooled row's; auc_null is the same mean of the AUC without sequences, where that was measured.
    Evaluations without a pooled row or without any AUC are absent.
    """
    rows = units.unseen
    together = rows.equals("cell_line", POOLED)
    for name in _OF_POOLED:
        together &= ~np.isnan(rows.numbers(name))
    pooled = rows.where(together)
    pooled = pooled.where(last_of_each(codes(*evaluation(pooled))))
    lines = rows.where(
        ~rows.equals("cell_line", MACRO)
        & ~rows.equals("cell_line", POOLED)
        & ~np.isnan(rows.numbers("auc"))
        & (rows.numbers("positives") > 0)
        & (rows.numbers("n") - rows.numbers("positives") > 0)
    )
    at = paired(evaluation(pooled), evaluation(lines))
    lines, at = lines.where(at >= 0), at[at >= 0]
    weight, positives = lines.numbers("n"), lines.numbers("positives")
    effect = pooled.numbers("auc_design_effect")
    known = ~np.isnan(effect)

    def summed(each: Floats) -> Floats:
        """Over the cell lines of every evaluation [pooled]."""
        sums: Floats = np.bincount(at, weights=each, minlength=len(pooled)).astype(np.float64)
        return sums

    def error(auc: float) -> Floats:
        squares = summed((weight * hanley_mcneil(auc, positives, weight - positives)) ** 2)
        return np.sqrt(np.where(known, effect, ASSUMED_EFFECT) * squares) / summed(weight)

    count = summed(np.ones(len(lines)))
    with np.errstate(invalid="ignore", divide="ignore"):
        auc, errors = summed(weight * lines.numbers("auc")) / summed(weight), (error(CHANCE), error(HEALTHY))
        values = {
            **{name: pooled.numbers(name) for name in _OF_POOLED},
            "auc": auc,
            "auc_null": summed(weight * lines.numbers("auc_null")) / summed(weight),
            "upper": auc + BOUND * errors[1],
            "lower": auc - BOUND * errors[0],
            "power": power(*errors),
            "positives": summed(positives),
            "negatives": summed(weight - positives),
            "lines": count,
            "known": known.astype(np.float64),
        }
    return Readings.of_lines(pooled, values).at(count > 0)
