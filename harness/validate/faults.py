"""Faults that are planted into the records of a healthy unit, each in doses: what a sick unit would have left."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.metrics import best_f1_threshold, by_cell
from analysis.rules import LIMITS, RULES, UnitRecords, Units, judge
from harness.validate.health import TrialUnit

Row = dict[str, Any]
Rng = np.random.Generator
Planted = tuple[UnitRecords, float]
"""Records with the fault, and its dose."""


@dataclass(frozen=True)
class Fault:
    """What is planted for one rule: `dose` says in words what and how much, `plant` gives the records of one of `cases`,
    and the dose, for a unit that `can` have it."""

    rule: str
    dose: str
    plant: Callable[[TrialUnit, Rng], Planted]
    cases: int = 120
    can: Callable[[TrialUnit], bool] | None = None
    """None: a unit on which the rule can be judged, and does not stand."""

    def fits(self, unit: TrialUnit) -> bool:
        """Whether the fault can be planted in a unit."""
        return judged(unit.records, self.rule) == (False, None) if self.can is None else self.can(unit)


def judged(records: UnitRecords, rule: str, factor: float = 1.0) -> tuple[bool, str | None]:
    """Whether a rule stands with its own limit times `factor`, and what it lacks where nothing of it could be judged."""
    judgement = judge(Units.of_one(records), {rule: LIMITS[rule] * factor}, [RULES[rule]])
    missing = judgement.missing[rule].get(0) if judgement.unable(0, rule) else None
    return bool(judgement.findings), missing


def edited(records: UnitRecords, table: str, edit: Callable[[Row], Row]) -> UnitRecords:
    """The records with every row of a table edited: `edit` gives the columns that change."""
    rows: Any = getattr(records, table)
    tables: dict[str, Any] = {table: [{**row, **edit(row)} for row in rows]}
    return replace(records, **tables)


def configured(records: UnitRecords, path: str, value: Any) -> UnitRecords:
    """The records of the same unit with another setting."""
    content = json.loads(records.row["config_json"])
    *parents, last = path.split(".")
    at = content
    for key in parents:
        at = at.setdefault(key, {})
    at[last] = value
    return replace(records, row={**records.row, "config_json": json.dumps(content)})


def rescored(unit: TrialUnit, logit: np.ndarray, *, everything_called: bool = False) -> UnitRecords:
    """The records with other corrected logits [N] of the unseen pairs, at every epoch and of the reported weights; the
    threshold is chosen anew on them, or is their lowest."""
    label, line = unit.scores["label"], unit.scores["cell_line"]
    threshold = float(logit.min()) if everything_called else best_f1_threshold(logit, label)
    figures = {row["cell_line"]: row for row in by_cell(logit, label, line, threshold_logit=threshold)}

    def edit(row: Row) -> Row:
        return {} if row["score"] != "corrected" else figures[row["cell_line"]]

    return edited(unit.records, "cells", edit)


def shuffled(values: np.ndarray, line: np.ndarray, rng: Rng) -> np.ndarray:
    """The values [N] in a random order within every cell line."""
    mixed = values.copy()
    for name in np.unique(line):
        at = np.flatnonzero(line == name)
        mixed[at] = values[rng.permutation(at)]
    return mixed


def between(rng: Rng, low: float, high: float) -> float:
    """A dose, uniform in the logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
