"""Rule mode_collapse."""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation, cell_readings

_CHANCE = ("recall", "precision", "prevalence", "auc", "n", "positives")


class ModeCollapse(Rule):
    """The output no longer tells pairs apart within an unseen cell line (seeds 001, 002).

    Spread of logits < 0.05, or of probabilities < 0.01; or everything is called positive by a ranking that
    cannot be told from chance: recall >= 0.99, precision within 0.02 of prevalence, and AUC within 1.96
    standard errors of 0.5 (Mann-Whitney under the null: SE^2 = (P + N + 1) / (12 P N)). High recall alone
    is no collapse: at 1:1 a healthy AUC of 0.60 has an F1-optimal recall of 0.98. Two epochs in a row are
    needed, because a network that has hardly been trained has a small spread too.
    """

    id = "mode_collapse"
    mark = "C"
    condition_text = "spread of logits < 0.05 or of probabilities < 0.01, or all called positive by chance"
    severity = "fault"
    source = "seeds 001, 002"
    advice = "check the learning rate, terms that push all logits one way, and whether R_E swallows U_I"
    limits: ClassVar[dict[str, float]] = {"mode_collapse": 0.05, "mode_collapse.probability": 0.01}
    patience = 2

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        return cell_readings(unit, ["logit_sd", "probability_sd"], optional=_CHANCE, pooled=False)

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        values = reading.values
        for column, name in (("logit_sd", self.id), ("probability_sd", "mode_collapse.probability")):
            if values[column] < limits[name]:
                what = column.removesuffix("_sd")
                text = f"standard deviation of the {what} within the cell line is {values[column]:.3g}"
                return Violation(values[column], limits[name], text)
        if values.keys() >= set(_CHANCE) and _all_positive_by_chance(values):
            text = (
                f"recall {values['recall']:.3f} at precision {values['precision']:.3f} = prevalence, "
                f"and AUC {values['auc']:.3f} cannot be told from 0.5"
            )
            return Violation(values["auc"], 0.5, text)
        return None

    def columns(self, run: RunColumns) -> Readings:
        return run.cells(["logit_sd", "probability_sd"], optional=_CHANCE, pooled=False)

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        logit, probability = limits[self.id], limits["mode_collapse.probability"]
        positives, negatives = values["positives"], values["n"] - values["positives"]
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.sqrt((positives + negatives + 1) / (12 * positives * negatives))
            by_chance = (
                (np.minimum(positives, negatives) >= 1)
                & (values["recall"] >= 0.99)
                & (np.abs(values["precision"] - values["prevalence"]) <= 0.02)
                & (np.abs(values["auc"] - 0.5) < 1.96 * error)
            )
        far = np.where(by_chance, np.abs(values["auc"] - 0.5), np.nan)
        far = np.where(values["probability_sd"] < probability, probability - values["probability_sd"], far)
        return np.where(values["logit_sd"] < logit, logit - values["logit_sd"], far)


def _all_positive_by_chance(values: Mapping[str, float]) -> bool:
    positives, negatives = values["positives"], values["n"] - values["positives"]
    if min(positives, negatives) < 1:
        return False
    error = math.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    everything = values["recall"] >= 0.99 and abs(values["precision"] - values["prevalence"]) <= 0.02
    return everything and abs(values["auc"] - 0.5) < 1.96 * error
