"""Rule never_acted."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import Row, UnitRecords, number
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation

_TERM = "term "
_NEVER, _SILENT, _ACTED = -1.0, 0.0, 1.0
_CENSORED = ("stopped", "pruned")


class NeverActed(Rule):
    """A configured loss term that never did anything (seeds 000, 003): value and gradient were 0 in every epoch in which
    it was in force, or it was never in force.

    Judged where a unit has ended, since a hinge that is satisfied now may act later. A unit that was stopped or pruned
    before phase 2 is not judged: what waits for phase 2 never had its turn. The gradient is that of each epoch's last
    step, the value the mean over its steps.
    """

    id = "never_acted"
    mark = "z"
    condition_text = "a configured loss term of value and gradient 0 in every epoch, or never in force"
    severity = "fault"
    source = "seeds 000, 003"
    advice = "leave the term out, or widen what it asks for: with this range, margin or schedule its weight means nothing"
    limits: ClassVar[dict[str, float]] = {"never_acted": 0.0}
    """Terms of a unit that may never act."""
    lasting = False
    screens = True

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        rows = unit.term_rows()
        if not rows:
            return NotEvaluated("rows of the table terms")
        epochs = [int(row["epoch"]) for row in rows]
        phases = unit.epoch_values("phase")
        missing = _missing(unit.trial, max(epochs), any(phase == 2 for _, phase in phases))
        if missing is not None:
            return NotEvaluated(missing)
        by_term: dict[str, list[Row]] = {}
        for row in rows:
            by_term.setdefault(str(row["term"]), []).append(row)
        states = {term: _state(own) for term, own in by_term.items()}
        if any(state is None for state in states.values()):
            return NotEvaluated("values of the table terms")
        silent = sum(state != _ACTED for state in states.values())
        named = {_TERM + term: state for term, state in states.items() if state is not None}
        return [Reading({"silent": float(silent), "terms": float(len(states)), **named}, max(epochs))]

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        silent, limit = reading.values["silent"], limits[self.id]
        if silent <= limit:
            return None
        states = {k.removeprefix(_TERM): v for k, v in reading.values.items() if k.startswith(_TERM)}
        said = [
            f"{what}: {', '.join(terms)}"
            for what, state in (
                ("value and gradient 0 in every epoch in force", _SILENT),
                ("never in force", _NEVER),
            )
            if (terms := [term for term, own in states.items() if own == state])
        ]
        evidence = f"{silent:.0f} of {reading.values['terms']:.0f} configured loss terms never acted; "
        return Violation(silent, limit, evidence + "; ".join(said))

    def columns(self, run: RunColumns) -> Readings:
        terms = run.terms
        in_force = (terms["weight"] > 0).to_numpy()
        sizes = terms[["value", "grad_norm"]].fillna(0.0).to_numpy(dtype=float)
        acted = in_force & (sizes != 0.0).any(axis=1)
        known = ~in_force | terms["value"].notna().to_numpy()
        each = pd.DataFrame({"unit": terms["unit"], "term": terms["term"], "acted": acted, "known": known})
        by_term = (
            each.groupby(["unit", "term"], sort=True).agg({"acted": "any", "known": "all"}).reset_index()
        )
        by_unit = by_term.groupby("unit").agg(
            acted=("acted", "sum"), terms=("acted", "size"), known=("known", "all")
        )
        by_unit["silent"] = by_unit["terms"] - by_unit["acted"]
        last = terms.groupby("unit")["epoch"].max().reindex(by_unit.index)
        reached = set(run.epochs.loc[run.epochs["phase"] == 2, "unit"])
        trials = run.trials.iloc[by_unit.index].to_dict("records")
        judged = [
            _missing(trial, int(epoch), unit in reached) is None
            for trial, epoch, unit in zip(trials, last, by_unit.index, strict=True)
        ]
        kept = by_unit["known"].to_numpy(dtype=bool) & np.array(judged, dtype=bool)
        by_unit, count = by_unit[kept], int(kept.sum())
        return Readings(
            by_unit.index.to_numpy(dtype=int),
            np.zeros(count, dtype=int),
            last[kept].to_numpy(dtype=float),
            np.zeros(count, dtype=bool),
            {name: by_unit[name].to_numpy(dtype=float) for name in ("silent", "terms")},
        )

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        over = values["silent"] - limits[self.id]
        return np.where(over > 0, over, np.nan)


def _missing(trial: Mapping[Any, Any], last: int, phase2: bool) -> str | None:
    """What a unit lacks to be judged after epoch `last`; None where it has ended with every term's turn."""
    status = trial.get("status")
    if status in _CENSORED:
        return None if phase2 else "phase 2 (the unit ended before it)"
    if status == "done" or (status == "running" and last >= _planned(trial.get("config_json"))):
        return None
    return "the end of the unit"


def _planned(text: object) -> float:
    """Epochs that the configuration asks for; infinity where it does not say."""
    content = json.loads(text) if isinstance(text, str) and text else None
    optimiser = content.get("optimiser") if isinstance(content, dict) else None
    epochs = optimiser.get("epochs") if isinstance(optimiser, dict) else None
    return float("inf") if epochs is None else float(epochs)


def _state(rows: list[Row]) -> float | None:
    """Whether a term acted in any epoch, was silent in all, or never in force; None where a value is missing."""
    in_force = [row for row in rows if (number(row, "weight") or 0.0) > 0.0]
    if not in_force:
        return _NEVER
    if any(number(row, "value") is None for row in in_force):
        return None
    sizes = [number(row, name) or 0.0 for row in in_force for name in ("value", "grad_norm")]
    return _ACTED if any(size != 0.0 for size in sizes) else _SILENT
