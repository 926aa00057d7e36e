"""Rule inert_mechanism."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, Mask, Table, last_of_each
from analysis.rules.units import Units

_NAMED = "mechanism "
"""Begins the name of the value of what the audit judged: the place of its verdict in `_VERDICTS`, 0 for any other."""
_VERDICTS = ("", "inert", "leaking", "broken")
"""What the audit accuses of, the gravest last."""
_BESIDE = "-"
"""The id of what is no mechanism: a contract, a key, the real steps, stored scores, recorded examples."""


@register
class InertMechanism(Rule):
    """The audit accuses a configured mechanism, or the trial itself: neutralised it changes no prediction and no gradient
    (inert; documents 003, 004), it reaches what it may not (leaking), or it is not what was promised (broken). A strict
    audit ends the trial, with `audit: warn` this rule is what is left of it. Of verdicts that call something inert the
    last one counts, of the others any. The first seed of a trial has the twins; of the others the audit says what it saw
    at their batches and at their end."""

    id = "inert_mechanism"
    mark = "i"
    order = 190
    condition_text = "a mechanism, contract, key or record that the audit calls inert, leaking or broken"
    severity = "fault"
    source = documents("003", "004")
    advice = "leave it out or mend it, and report nothing of this unit; the audit below the ranking says why"
    limits: ClassVar[Mapping[str, float]] = {"inert_mechanism": 0.0}
    """Mechanisms, contracts, keys and records of a unit that may be accused."""

    def measure(self, units: Units) -> Readings:
        rows = units.audit
        code, names = rows.joined_texts(["id", "mechanism"])
        code = np.where(rows.texts("verdict")[0] < 0, -1, code)
        grave = _gravity(rows)
        at = np.flatnonzero(code >= 0)
        at = at[last_of_each(rows.unit[at] * max(len(names), 1) + code[at])]
        verdicts = np.full((units.count, len(names)), np.nan)
        verdicts[rows.unit[at], code[at]] = grave[at]
        for_good = np.flatnonzero((code >= 0) & (grave > 1))
        np.fmax.at(verdicts, (rows.unit[for_good], code[for_good]), grave[for_good])
        values = {_NAMED + name: verdicts[:, column] for column, name in enumerate(names)}
        values["accused"] = (verdicts > 0).sum(axis=1).astype(np.float64)
        judged = units.having(rows.where(~rows.equals("id", _BESIDE) | (grave > 0)))
        lacks = [
            ("rows of the table audit", ~units.having(rows)),
            ("verdicts on mechanisms in the table audit (the first seed of a trial has them)", ~judged),
        ]
        return units.before_training(values, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        accused, limit = values["accused"], limits[self.id]
        return Broken(accused, limit, accused > limit)

    def evidence(self, reading: Reading) -> str:
        judged = {
            name.removeprefix(_NAMED): v
            for name, v in reading.values.items()
            if name.startswith(_NAMED) and v == v
        }
        said = []
        for place, verdict in enumerate(_VERDICTS[1:], 1):
            named = sorted(name.removeprefix(f"{_BESIDE} ") for name, v in judged.items() if v == place)
            said += [f"{verdict} by the audit: {', '.join(named)}"] if named else []
        mechanisms = sum(not name.startswith(f"{_BESIDE} ") for name in judged)
        of = f"of {mechanisms} mechanism{'' if mechanisms == 1 else 's'}"
        return "; ".join([*said, of] if mechanisms else said)

    def remembered(self, units: Units) -> Mapping[str, Mask]:
        code, _ = units.audit.joined_texts(["id", "mechanism"])
        kept = _gravity(units.audit) > 1
        kept[last_of_each(code)] = True
        return {"audit": kept & (code >= 0)}


def _gravity(rows: Table) -> Floats:
    """Place of each row's verdict in `_VERDICTS` [rows]."""
    grave = np.zeros(len(rows.unit))
    for place, verdict in enumerate(_VERDICTS[1:], 1):
        grave[rows.equals("verdict", verdict)] = place
    return grave
