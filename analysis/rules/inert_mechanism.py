"""Rule inert_mechanism."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, Mask, last_of_each
from analysis.rules.units import Units

_NAMED = "mechanism "
"""Begins the name of the value of a mechanism: 1 where the audit calls it inert."""


@register
class InertMechanism(Rule):
    """The audit calls a configured mechanism inert: neutralised, it changes no prediction and no gradient (documents 003,
    004). Of its verdicts on a mechanism the last one counts. The first seed of a trial has the twins; of the others the
    audit says what it saw at their batches and at their end."""

    id = "inert_mechanism"
    mark = "i"
    order = 190
    condition_text = "a mechanism that the audit calls inert"
    severity = "fault"
    source = documents("003", "004")
    advice = "leave it out, or see python -m analysis audit for why it does nothing"
    limits: ClassVar[Mapping[str, float]] = {"inert_mechanism": 0.0}
    """Mechanisms of a unit that may be inert."""

    def measure(self, units: Units) -> Readings:
        rows = units.audit
        code, names = rows.joined_texts(["id", "mechanism"])
        code = np.where(rows.texts("verdict")[0] < 0, -1, code)
        at = np.flatnonzero(code >= 0)
        at = at[last_of_each(rows.unit[at] * max(len(names), 1) + code[at])]
        verdicts = np.full((units.count, len(names)), np.nan)
        verdicts[rows.unit[at], code[at]] = rows.where(at).equals("verdict", "inert")
        values = {_NAMED + name: verdicts[:, column] for column, name in enumerate(names)}
        values["inert"] = np.nansum(verdicts, axis=1) if len(names) else np.zeros(units.count)
        judged = units.having(rows.where(~rows.equals("id", "-") | rows.equals("verdict", "inert")))
        lacks = [
            ("rows of the table audit", ~units.having(rows)),
            ("verdicts on mechanisms in the table audit (the first seed of a trial has them)", ~judged),
        ]
        return units.before_training(values, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        inert, limit = values["inert"], limits[self.id]
        return Broken(inert, limit, inert > limit)

    def evidence(self, reading: Reading) -> str:
        judged = {
            name.removeprefix(_NAMED): v for name, v in reading.values.items() if name.startswith(_NAMED)
        }
        inert = sorted(name for name, value in judged.items() if value)
        return f"{len(inert)} of {len(judged)} mechanisms are inert: {', '.join(inert)}"

    def remembered(self, units: Units) -> Mapping[str, Mask]:
        code, _ = units.audit.joined_texts(["id", "mechanism"])
        kept = np.zeros(len(code), dtype=bool)
        kept[last_of_each(code)] = True
        return {"audit": kept & (code >= 0)}
