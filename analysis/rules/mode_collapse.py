"""Rule mode_collapse."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd

from analysis.rules.chance import (
    ASSUMED_EFFECT,
    HEALTHY,
    POWER,
    UNDERPOWERED,
    chance_readings,
    run_chance_readings,
)
from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation, cell_readings

_SPREADS = ("logit_sd", "probability_sd")
_POSITIVE, _NEAR = 0.99, 0.02
CLOSING = ("gated", "threshold_gate", "blocking")
"""Energies that may say the same of every pair of a cell line by closing its gate."""


class ModeCollapse(Rule):
    """The output no longer tells unseen pairs apart (seeds 001, 002), in one of two ways.

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
    condition_text = (
        "spread of logits < 0.05 or of probabilities < 0.01, or all called positive and AUC below 0.60"
    )
    severity = "fault"
    source = "seeds 001, 002"
    advice = "check the learning rate, terms that push all logits one way, and whether R_E swallows U_I"
    limits: ClassVar[dict[str, float]] = {
        "mode_collapse": 0.05,
        "mode_collapse.probability": 0.01,
        "mode_collapse.auc": HEALTHY,
    }
    patience = 2

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        spreads = cell_readings(unit, list(_SPREADS), pooled=False)
        if isinstance(spreads, NotEvaluated):
            return spreads
        if _closes(unit.trial.get("config_json")):
            spreads = _widest(spreads)
        return spreads + chance_readings(unit)

    def lacking(self, measured: list[Reading]) -> str | None:
        judged = [reading for reading in measured if "power" in reading.values]
        reported = [reading for reading in judged if reading.final] or judged[-1:]
        return _lacking(reported[-1].values if reported else None)

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        values = reading.values
        if not math.isnan(values.get("power", math.nan)):
            return self._by_chance(values, limits["mode_collapse.auc"])
        for column, name in zip(_SPREADS, (self.id, "mode_collapse.probability"), strict=True):
            if values[column] < limits[name]:
                what = column.removesuffix("_sd")
                text = f"standard deviation of the {what} within the cell line is {values[column]:.3g}"
                if "lines" in values:
                    text += (
                        f", the widest of {values['lines']:.0f}: the gate is closed on all unseen cell lines"
                    )
                if column == "probability_sd":
                    text += f", of the logits {values['logit_sd']:.3g}"
                return Violation(values[column], limits[name], text)
        return None

    def _by_chance(self, values: Mapping[str, float], healthy: float) -> Violation | None:
        everything = (
            values["recall"] >= _POSITIVE and abs(values["precision"] - values["prevalence"]) <= _NEAR
        )
        if values["power"] < POWER or not everything or not values["upper"] < healthy:
            return None
        text = (
            f"recall {values['recall']:.3f} at precision {values['precision']:.3f} with prevalence "
            f"{values['prevalence']:.3f}, and AUC {values['auc']:.3f} over {values['lines']:.0f} unseen cell lines has "
            f"the upper 95 % bound {values['upper']:.3f}, below {healthy:g}"
        )
        return Violation(values["upper"], healthy, text)

    def columns(self, run: RunColumns) -> Readings:
        texts = run.trials["config_json"]
        known = {text: _closes(text) for text in texts.dropna().unique()}
        closes = texts.map(lambda text: known.get(text, False)).to_numpy(dtype=bool)
        spreads = run.cells(_SPREADS, pooled=False)
        return _widest_of_units(spreads, closes).joined(run_chance_readings(run))

    def columns_lacking(self, readings: Readings) -> dict[int, str]:
        by_chance = np.flatnonzero(~np.isnan(readings.values["power"]))
        # Sorted readings have those of the reported weights last.
        reported = dict(zip(readings.unit[by_chance].tolist(), by_chance.tolist(), strict=True))
        missing = {}
        for unit in np.unique(readings.unit).tolist():
            at = reported.get(unit)
            lacking = _lacking(None if at is None else {k: float(v[at]) for k, v in readings.values.items()})
            if lacking is not None:
                missing[unit] = lacking
        return missing

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        logit, probability = limits[self.id], limits["mode_collapse.probability"]
        healthy = limits["mode_collapse.auc"]
        with np.errstate(invalid="ignore"):
            by_chance = (
                (values["power"] >= POWER)
                & (values["recall"] >= _POSITIVE)
                & (np.abs(values["precision"] - values["prevalence"]) <= _NEAR)
                & (values["upper"] < healthy)
            )
            spread = np.isnan(values["power"])
            far = np.where(by_chance, np.abs(values["upper"] - healthy), np.nan)
            below = spread & (values["probability_sd"] < probability)
            far = np.where(below, probability - values["probability_sd"], far)
            below = spread & (values["logit_sd"] < logit)
            return np.where(below, logit - values["logit_sd"], far)


def _closes(text: object) -> bool:
    """Whether the configuration's energy has a gate that may close on a cell line."""
    content = json.loads(text) if isinstance(text, str) and text else None
    energy = content.get("energy") if isinstance(content, dict) else None
    return isinstance(energy, dict) and energy.get("form") in CLOSING


def _widest(spreads: list[Reading]) -> list[Reading]:
    """Of every evaluation the cell line whose logits spread most, in one series."""
    groups: dict[tuple[int | None, bool], list[Reading]] = {}
    for reading in spreads:
        groups.setdefault((reading.epoch, reading.final), []).append(reading)
    found = []
    for own in groups.values():
        widest = max(own, key=lambda reading: reading.values["logit_sd"])
        found.append(replace(widest, values={**widest.values, "lines": float(len(own))}, scope="widest"))
    return found


def _widest_of_units(spreads: Readings, closes: np.ndarray) -> Readings:
    """`_widest` in the units [units] that `closes` marks."""
    frame = pd.DataFrame({"unit": spreads.unit, "epoch": spreads.epoch, "final": spreads.final})
    frame["spread"] = spreads.values["logit_sd"]
    gated = frame[closes[spreads.unit]]
    groups = gated.groupby(["unit", "epoch", "final"], sort=False)["spread"]
    widest = groups.idxmax().to_numpy(dtype=int)
    keep = np.concatenate([np.flatnonzero(~closes[spreads.unit]), widest])
    lines = np.full(len(frame), np.nan)
    lines[gated.index] = groups.transform("size")
    assert spreads.cell_line is not None
    return Readings(
        spreads.unit[keep],
        np.where(closes[spreads.unit[keep]], -2, spreads.scope[keep]),
        spreads.epoch[keep],
        spreads.final[keep],
        {**{name: column[keep] for name, column in spreads.values.items()}, "lines": lines[keep]},
        spreads.cell_line[keep],
    )


def _lacking(values: Mapping[str, float] | None) -> str | None:
    """What the clause on chance lacks, in numbers of the data alone: equal units give equal words."""
    if values is None:
        return "AUC, recall and precision of the unseen pairs, for its clause on chance"
    if values["power"] >= POWER:
        return None
    effect = (
        "as measured" if values["known"] else f"assumed to be {ASSUMED_EFFECT:g} as the store has no loci"
    )
    return (
        f"{UNDERPOWERED}: {values['positives']:.0f} positive and {values['negatives']:.0f} negative unseen pairs tell an "
        f"AUC of {HEALTHY:g} from chance with a power below {POWER:g} (design effect of their loci {effect}); the spread "
        "of the output was judged"
    )
