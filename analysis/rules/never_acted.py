"""Rule never_acted."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.table import Floats, Mask, Table, last_of_each
from analysis.rules.units import Units

TERM = "term "
"""Begins the name of a term's value: its place among the terms of its unit, from 1 on, where it was in force and silent;
less than 0 where it was never in force, 0 where it acted."""


@register
class NeverActed(Rule):
    """A configured loss term that never did anything (seeds 000, 003): value and gradient were 0 in every epoch in which
    it was in force, or it was never in force.

    Judged where a unit has ended, since a hinge that is satisfied now may act later. A unit that was stopped or pruned
    before phase 2 is not judged: what waits for phase 2 never had its turn. Values and weights are those of all steps of
    an epoch, the gradient is that of its last one.
    """

    id = "never_acted"
    mark = "z"
    order = 100
    condition_text = "a configured loss term of value and gradient 0 in every epoch, or never in force"
    severity = "fault"
    source = "seeds 000, 003"
    advice = "leave the term out, or widen what it asks for: with this range, margin or schedule its weight means nothing"
    limits: ClassVar[Mapping[str, float]] = {"never_acted": 0.0}
    """Terms of a unit that may never act."""
    lasting = False

    def measure(self, units: Units) -> Readings:
        rows = units.terms
        term, names = rows.texts("term")
        rows, term = rows.where(term >= 0), term[term >= 0]
        in_force, acted, unknown = _states(rows)
        shape, place = (units.count, len(names)), rows.unit * len(names) + term

        def any_of(chosen: Mask) -> Mask:
            """Of every unit and term, whether any of its rows is `chosen` [units, terms]."""
            return np.asarray(np.bincount(place[chosen], minlength=shape[0] * shape[1]).reshape(shape) > 0)

        there, has_acted = any_of(np.ones(len(rows), dtype=bool)), any_of(acted)
        silent = there & ~has_acted
        first = np.zeros(shape[0] * shape[1])
        first[place[::-1]] = np.arange(len(rows), 0, -1)
        first = np.where(any_of(in_force), 1.0, -1.0) * first.reshape(shape)
        first = np.where(there, np.where(has_acted, 0.0, first), np.nan)
        last = np.zeros(units.count)
        np.maximum.at(last, rows.unit, rows.numbers("epoch"))
        lacks: list[tuple[str, Mask]] = [
            ("rows of the table terms", np.asarray(~there.any(axis=1))),
            *_unended(units, last),
            ("values of the table terms", np.asarray(any_of(unknown).any(axis=1))),
        ]
        at = np.flatnonzero(~np.any([lacking for _, lacking in lacks], axis=0))
        values = {"silent": silent.sum(axis=1), "terms": there.sum(axis=1)}
        values |= {TERM + name: first[:, code] for code, name in enumerate(names)}
        kept = {name: column[at].astype(np.float64) for name, column in values.items()}
        return Readings.of_units(at, last[at], kept, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        silent, limit = values["silent"], limits[self.id]
        return Broken(silent, limit, silent > limit)

    def evidence(self, reading: Reading) -> str:
        places = {k.removeprefix(TERM): v for k, v in reading.values.items() if k.startswith(TERM) and v}
        terms = sorted(places, key=lambda term: abs(places[term]))
        said = [
            f"{what}: {', '.join(named)}"
            for what, named in (
                ("value and gradient 0 in every epoch in force", [t for t in terms if places[t] > 0]),
                ("never in force", [t for t in terms if places[t] < 0]),
            )
            if named
        ]
        counted = f"{reading.values['silent']:.0f} of {reading.values['terms']:.0f}"
        return f"{counted} configured loss terms never acted; {'; '.join(said)}"

    def remembered(self, units: Units) -> Mapping[str, Mask]:
        """Of every term the first row, which has its place, and the one that says most of it: of a missing value, else
        of an act, else of being in force."""
        term, _ = units.terms.texts("term")
        in_force, acted, unknown = _states(units.terms)
        most = np.argsort(in_force.astype(np.int64) + acted + 2 * unknown, kind="stable")
        kept = np.zeros(len(term), dtype=bool)
        kept[most[last_of_each(term[most])]] = True
        kept[len(term) - 1 - last_of_each(term[::-1])] = True
        return {"terms": kept}


def _states(rows: Table) -> tuple[Mask, Mask, Mask]:
    """Whether a row's term was in force, acted, and was in force without a known value [rows]."""
    in_force = (rows.numbers("weight") > 0) | (rows.numbers("in_force") > 0)
    value = rows.numbers("value")
    moved = [np.nan_to_num(rows.numbers(column)) != 0 for column in ("value", "acting", "grad_norm")]
    acted = in_force & np.any(moved, axis=0)
    return in_force, acted, in_force & np.isnan(value)


def _unended(units: Units, last: Floats) -> list[tuple[str, Mask]]:
    """Inputs that units lack for a judgement after their epoch `last` [units]: an end in which every term had its turn."""
    censored = units.unit_rows.equals("status", "stopped") | units.unit_rows.equals("status", "pruned")
    running = units.unit_rows.equals("status", "running")
    planned = np.array([np.inf if n is None else float(n) for n in units.settings("optimiser.epochs")])
    ended = censored | units.unit_rows.equals("status", "done") | (running & (last >= planned))
    phase2 = units.having(units.epochs.where(units.epochs.numbers("phase") == 2))
    return [("phase 2 (the unit ended before it)", censored & ~phase2), ("the end of the unit", ~ended)]
