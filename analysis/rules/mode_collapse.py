"""Rule mode_collapse."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from analysis.rules.chance import HEALTHY, POWER, chance_readings, lines_of, underpowered
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, Mask, codes
from analysis.rules.units import Units

_POSITIVE, _NEAR = 0.99, 0.02
_WIDEST = "widest"


@register
class ModeCollapse(Rule):
    """The output no longer tells unseen pairs apart (source documents 001, 002), in one of two ways.

    Spread, within a cell line: of logits < 0.05, or of probabilities < 0.01. Chance, over all unseen pairs: recall >=
    0.99 at a precision within 0.02 of the prevalence, and an AUC whose upper 95 % bound is below 0.60: not merely one
    that cannot be told from 0.5, which too few pairs never can. High recall alone is no collapse: at 1:1 a healthy AUC
    of 0.60 has an F1-optimal recall of 0.98. Where the pairs could not have shown an AUC of 0.60 either
    (`analysis.rules.chance`), the second clause is not evaluated: underpowered. Two epochs in a row are needed, because
    a network that has hardly been trained has a small spread too. An energy whose gate may close on a cell line has
    collapsed where it is closed on all of them: of those the cell line of the widest spread is judged.
    """

    id = "mode_collapse"
    mark = "C"
    order = 30
    condition_text = (
        "spread of logits < 0.05 or of probabilities < 0.01, or all called positive and AUC below 0.60"
    )
    severity = "fault"
    source = documents("001", "002")
    advice = "check the learning rate, terms that push all logits one way, and whether R_E swallows U_I"
    limits: ClassVar[Mapping[str, float]] = {
        "mode_collapse": 0.05,
        "mode_collapse.probability": 0.01,
        "mode_collapse.auc": HEALTHY,
    }
    patience = 2

    def measure(self, units: Units) -> Readings:
        spreads = units.cells(["logit_sd", "probability_sd"], pooled=False)
        chance = chance_readings(units)
        closes = units.unit_rows.numbers("gate_closes") > 0
        return _widest(spreads, closes[spreads.unit]).joined(chance)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        logit, probability, upper = values["logit_sd"], values["probability_sd"], values["upper"]
        flat, narrow = logit < limits[self.id], probability < limits["mode_collapse.probability"]
        everything = (values["recall"] >= _POSITIVE) & (
            np.abs(values["precision"] - values["prevalence"]) <= _NEAR
        )
        chance = (values["power"] >= POWER) & everything & (upper < limits["mode_collapse.auc"])
        return Broken(
            np.select([flat, narrow], [logit, probability], upper),
            np.select(
                [flat, narrow],
                [limits[self.id], limits["mode_collapse.probability"]],
                limits["mode_collapse.auc"],
            ),
            flat | narrow | chance,
        )

    def evidence(self, reading: Reading) -> str:
        values = reading.values
        if "power" in values:
            return (
                f"recall {values['recall']:.3f} at precision {values['precision']:.3f} with prevalence "
                f"{values['prevalence']:.3f}, and AUC {values['auc']:.3f} over {lines_of(values)} "
                f"has the upper 95 % bound {values['upper']:.3f}, below {reading.limits['mode_collapse.auc']:g}"
            )
        what = "logit" if values["logit_sd"] < reading.limits[self.id] else "probability"
        text = f"standard deviation of the {what} within the cell line is {values[f'{what}_sd']:.3g}"
        if "lines" in values:
            text += f", the widest of {values['lines']:.0f}: the gate is closed on all unseen cell lines"
        if what == "probability":
            text += f", of the logits {values['logit_sd']:.3g}"
        return text

    def lacking(self, readings: Readings) -> Mapping[int, str]:
        """The input that either clause lacks, of chance in numbers of the data alone: equal units give equal words."""
        missing = dict.fromkeys(
            np.unique(readings.unit).tolist(),
            "AUC, recall and precision of the unseen pairs, for its clause on chance",
        )
        by_chance = np.flatnonzero(~np.isnan(readings.values["power"]))
        # The reported weights come last, and decide.
        reported = dict(zip(readings.unit[by_chance].tolist(), by_chance.tolist(), strict=True))
        for unit, at in reported.items():
            if readings.values["power"][at] >= POWER:
                del missing[unit]
            else:
                numbers = {name: float(column[at]) for name, column in readings.values.items()}
                missing[unit] = underpowered(numbers, "the spread of the output")
        spread = set(readings.unit[~np.isnan(readings.values["logit_sd"])].tolist())
        for unit in set(missing) | set(reported):
            if unit not in spread:
                missing[unit] = "spread of the output within a cell line, for its clause on spread"
        return dict(sorted(missing.items()))


def _widest(spreads: Readings, closes: Mask) -> Readings:
    """In place of the readings whose gate `closes` [n] the one of each evaluation whose logits spread most, in one
    series; `lines`: how many there were."""
    gated, free = spreads.at(closes), spreads.at(~closes)
    evaluation = codes(gated.unit, gated.epoch, gated.final)
    order = np.lexsort((-gated.values["logit_sd"], evaluation))
    _, begins, lines = np.unique(evaluation[order], return_index=True, return_counts=True)
    widest = gated.at(order[begins]).with_values({"lines": lines.astype(np.float64)})
    series = replace(widest, scope=np.full(len(widest), len(widest.names)), names=(*widest.names, _WIDEST))
    return free.joined(series) if len(series) else free
