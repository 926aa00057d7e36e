"""Rule never_acted."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.ended import unended
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.silence import ActedRows, of_mechanisms, of_terms
from analysis.rules.sources import documents
from analysis.rules.table import Floats, Mask
from analysis.rules.units import Units

TERM, MECHANISM = "term ", "mechanism "
"""Begin the name of the value of a loss term, and of a mechanism's part: its place among those of its unit, from 1 on,
where it was in force and silent; less than 0 where it was never in force, 0 where it acted."""


@register
class NeverActed(Rule):
    """A configured loss term or part of a mechanism that did nothing (documents 000, 003): value and gradient were 0 in
    every epoch in which it was in force, or it was never in force.

    Of a term that is its value, of all steps of an epoch, and its gradient, of the last one; of a mechanism the gradient of
    its parameters, of all steps, how far they or its state have moved, and what its gate or schedule did. Judged where a
    unit has ended, since a hinge that is satisfied now may act later. A unit that was stopped or pruned before phase 2 is
    not judged: what waits for phase 2 never had its turn.
    """

    id = "never_acted"
    mark = "z"
    order = 100
    condition_text = (
        "a configured term or part of a mechanism of value and gradient 0 in every epoch, or never in force"
    )
    severity = "fault"
    source = documents("000", "003")
    advice = "leave it out, or widen what it asks for: with this range, margin or schedule its settings mean nothing"
    limits: ClassVar[Mapping[str, float]] = {"never_acted": 0.0}
    """Terms and parts of mechanisms of a unit that may never act."""
    lasting = False

    def measure(self, units: Units) -> Readings:
        records = {TERM: of_terms(units), MECHANISM: of_mechanisms(units)}
        places = {prefix: record.places(units.count) for prefix, record in records.items()}
        last = np.zeros(units.count)
        for record in records.values():
            np.maximum.at(last, record.rows.unit, record.rows.numbers("epoch"))
        unknown = np.any([record.lacking(units.count) for record in records.values()], axis=0)
        lacks: list[tuple[str, Mask]] = [
            ("rows of the table terms", np.asarray(np.isnan(places[TERM]).all(axis=1))),
            *unended(units, last),
            ("values of the tables terms and mechanisms", np.asarray(unknown)),
        ]
        at = np.flatnonzero(~np.any([lacking for _, lacking in lacks], axis=0))
        values = {
            prefix + name: first[:, code]
            for prefix, first in places.items()
            for code, name in enumerate(records[prefix].names)
        }
        counted = {
            "silent": sum((np.nan_to_num(first) != 0).sum(axis=1) for first in places.values()),
            "terms": (~np.isnan(places[TERM])).sum(axis=1),
            "parts": (~np.isnan(places[MECHANISM])).sum(axis=1),
        }
        kept = {
            name: np.asarray(column)[at].astype(np.float64) for name, column in (counted | values).items()
        }
        return Readings.of_units(at, last[at], kept, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        silent, limit = values["silent"], limits[self.id]
        return Broken(silent, limit, silent > limit)

    def evidence(self, reading: Reading) -> str:
        said = [
            _silent(reading.values, TERM, reading.values["terms"], "configured loss terms"),
            _silent(reading.values, MECHANISM, reading.values["parts"], "parts of mechanisms"),
        ]
        return "; ".join(text for text in said if text)

    def remembered(self, units: Units) -> Mapping[str, Mask]:
        return {
            "terms": _among(of_terms(units), len(units.terms)),
            "mechanisms": _among(of_mechanisms(units), len(units.mechanisms)),
        }


def _silent(values: Mapping[str, float], prefix: str, count: float, what: str) -> str:
    """`2 of 5 configured loss terms never acted; never in force: grl`; empty where all acted."""
    places = {name.removeprefix(prefix): v for name, v in values.items() if name.startswith(prefix) and v}
    names = sorted(places, key=lambda name: abs(places[name]))
    said = [
        f"{how}: {', '.join(chosen)}"
        for how, chosen in (
            ("value and gradient 0 in every epoch in force", [name for name in names if places[name] > 0]),
            ("never in force", [name for name in names if places[name] < 0]),
        )
        if chosen
    ]
    return "; ".join([f"{len(names)} of {count:.0f} {what} never acted", *said]) if said else ""


def _among(record: ActedRows, rows: int) -> Mask:
    """The most telling rows of a record among all `rows` of its table."""
    kept = np.zeros(rows, dtype=bool)
    kept[record.at] = record.most_telling()
    return kept
