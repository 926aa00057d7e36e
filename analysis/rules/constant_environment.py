"""Rule constant_environment."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy.special import chdtrc

from analysis.rules.ended import NO_ENVIRONMENT, at_the_end, untrained
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, Mask, codes, last_of_each
from analysis.rules.units import Units
from analysis.schema import MACRO, POOLED

_GROWN = 300
"""Optimiser steps before which R_E is small because it began so."""
_UNLIKE = 0.01
"""Chance of the unseen cell lines' prevalences, if they were the same, below which they are called unlike."""


@register
class ConstantEnvironment(Rule):
    """R_E of the cell lines spreads less than 1 % of what U_I of the pairs does (documents 000, 002): one constant for all.

    Judged at the end of a unit, in phase 2, after 300 steps: R_E begins at 0, and healthy units pass 1 % between the 100th
    and the 250th. Where the score rises with U_I within a cell line, R_E can
    but move cell lines against each other, and pairs of equal prevalence do not ask for that: not evaluated, unless the
    unseen cell lines' prevalences differ (chi-squared, p < 0.01).
    """

    id = "constant_environment"
    mark = "e"
    order = 170
    condition_text = "spread of R_E over cell lines < 1 % of the spread of U_I"
    severity = "fault"
    source = documents("000", "002")
    advice = "larger support sets, a set encoder with moments, contrastive or prototype terms, or no environment at all"
    limits: ClassVar[Mapping[str, float]] = {"constant_environment": 0.01}

    def measure(self, units: Units) -> Readings:
        rows = units.epochs
        r, u = rows.numbers("r_var"), rows.numbers("u_var")
        known = (rows.numbers("phase") == 2) & (r >= 0) & (u > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = {"r": np.sqrt(r), "u": np.sqrt(u), "ratio": np.sqrt(r / u)}
        readings = Readings.of_units(
            rows.unit[known],
            rows.numbers("epoch")[known],
            {name: column[known] for name, column in values.items()},
        )
        source = units.settings("environment.source")
        absent = np.array([each == "none" for each in source], dtype=bool)
        free = units.unit_rows.numbers("rank_invariant") == 0
        lacks = [
            (
                "environment.source in config_json of the table units",
                np.array([each is None for each in source], dtype=bool),
            ),
            (NO_ENVIRONMENT, absent),
            *untrained(units, _GROWN),
            ("u_var and r_var of phase 2 of the table epochs", ~readings.has(units.count)),
            (
                "a reason for R_E to differ (rank-invariant, and the unseen cell lines are alike in prevalence)",
                ~free & ~_unlike(units),
            ),
        ]
        return at_the_end(units, readings, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        ratio, limit = values["ratio"], limits[self.id]
        return Broken(ratio, limit, ratio < limit)

    def evidence(self, reading: Reading) -> str:
        values = reading.values
        return f"standard deviation of R_E over cell lines {values['r']:.3g}, of U_I over pairs {values['u']:.3g}"


def _unlike(units: Units) -> Mask:
    """Units [units] whose unseen cell lines differ in prevalence: chi-squared of homogeneity over their last rows."""
    rows = units.unseen
    rows = rows.where(
        ~rows.equals("cell_line", MACRO) & ~rows.equals("cell_line", POOLED) & (rows.numbers("n") > 0)
    )
    line, _ = rows.lines()
    rows = rows.where(last_of_each(codes(rows.unit, line)))
    n, positives = rows.numbers("n"), rows.numbers("positives")

    def summed(each: Floats) -> Floats:
        total: Floats = np.bincount(rows.unit, weights=each, minlength=units.count).astype(np.float64)
        return total

    with np.errstate(invalid="ignore", divide="ignore"):
        share = summed(positives) / summed(n)
        excess = summed((positives - n * share[rows.unit]) ** 2 / n) / (share * (1 - share))
        freedom = summed(np.ones(len(rows))) - 1
        chance = np.where(freedom > 0, chdtrc(freedom, excess), np.nan)
    return np.asarray(chance < _UNLIKE)
