"""Rule correction_harms."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy.special import ndtr

from analysis.rules.chance import ASSUMED_EFFECT, BOUND
from analysis.rules.ended import NO_ENVIRONMENT, powered_at_the_end, untrained
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, evaluation, paired
from analysis.rules.units import Units
from analysis.schema import POOLED

_HARM = 0.1
"""Loss of AUPR that the pairs must be able to show."""


@register
class CorrectionHarms(Rule):
    """Pooled unseen AUPR of the corrected logit below that of U_I alone, by more than chance (source document 001).

    Standard error of the difference: sqrt(A (1 - A) effect / P), that of U_I's AUPR A itself with P positives (binomial;
    Boyd et al. 2013) and the design effect of their loci; that of two scores of the same pairs is smaller where they
    correlate by more than 1/2, as two that share U_I do. Pairs that could not show a loss of 0.1 with power 0.8 are not
    evaluated: underpowered. Judged are the weights that are reported.
    """

    id = "correction_harms"
    mark = "c"
    order = 160
    condition_text = "corrected pooled AUPR below that of U_I alone"
    severity = "fault"
    source = documents("001")
    advice = "leave the environment out, or look at R_E per cell line: sign, size and support sets"
    limits: ClassVar[Mapping[str, float]] = {"correction_harms": 0.0}
    """The upper 95 % bound of the gain must not be below it."""

    def measure(self, units: Units) -> Readings:
        rows = units.unseen_of_each_score
        rows = rows.where(rows.equals("cell_line", POOLED) & ~np.isnan(rows.numbers("aupr")))
        corrected, alone = (rows.where(rows.equals("score", score)) for score in ("corrected", "u_only"))
        at = paired(evaluation(alone), evaluation(corrected)) if len(alone) else np.full(len(corrected), -1)
        corrected, alone = corrected.where(at >= 0), alone.where(at[at >= 0])
        aupr, effect = alone.numbers("aupr"), alone.numbers("auc_design_effect")
        effect = np.where(np.isnan(effect), ASSUMED_EFFECT, effect)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(aupr * (1 - aupr) * effect / alone.numbers("positives"))
            power = ndtr(_HARM / error - BOUND)
        values = {
            "alone": aupr,
            "gain": corrected.numbers("aupr") - aupr,
            "error": error,
            "positives": alone.numbers("positives"),
            "power": power,
        }
        readings = Readings.of_lines(corrected, values)
        source = units.settings("environment.source")
        lacks = [
            (NO_ENVIRONMENT, np.array([each == "none" for each in source], dtype=bool)),
            *untrained(units),
            (
                "pooled AUPR of u_only and corrected on val_unseen in the table cells",
                ~readings.has(units.count),
            ),
        ]
        weak = f"the unseen pairs could not show a loss of {_HARM:g} in pooled AUPR"
        return powered_at_the_end(units, readings, lacks, weak)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        upper, limit = values["gain"] + BOUND * values["error"], limits[self.id]
        return Broken(upper, limit, upper < limit)

    def evidence(self, reading: Reading) -> str:
        alone, gain = reading.values["alone"], reading.values["gain"]
        return (
            f"pooled AUPR of U_I alone {alone:.3f}, corrected {alone + gain:.3f}; the gain's upper 95 % bound is "
            f"{gain + BOUND * reading.values['error']:.3f} with {reading.values['positives']:.0f} positives"
        )
