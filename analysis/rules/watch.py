"""The rules on a unit that runs: a run of one, judged after every epoch at a cost that does not grow with the epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.rules.readings import NOTHING, Readings
from analysis.rules.registry import LIMITS, RULES, check_limits
from analysis.rules.rule import Finding, Rule
from analysis.rules.standing import Judged
from analysis.rules.table import Row
from analysis.rules.units import UnitRecords, Units

Tables = dict[str, list[Row]]
READ = ("epochs", "terms", "mechanisms", "cells", "reports", "audit")
"""Tables whose rows a unit that runs shows to the rules."""


class Watch:
    """Findings of all rules after every epoch of a unit, equal to those of `judge` on all of its epochs so far.

    `see` takes epochs in order, each once. Kept are, of every rule, the readings that later ones need beside them, and
    the rows of as many epochs as it looks back at; `state` is plain data from which `resume` goes on. Raises UserError
    for a limit that no rule has.
    """

    def __init__(self, limits: Mapping[str, float] | None = None) -> None:
        check_limits(limits or {})
        self._limits = {**LIMITS, **(limits or {})}
        self._readings: dict[str, Readings] = dict.fromkeys(RULES, NOTHING)
        self._rows: dict[str, Tables] = {rule: {} for rule in RULES}
        self._tally: dict[str, dict[str, tuple[int, int]]] = {
            n: {} for n, rule in RULES.items() if rule.share
        }

    def see(self, trial: Row, tables: Mapping[str, Sequence[Row]]) -> list[Finding]:
        """Judge the next epoch by its rows of the tables in `READ`, and say what holds then."""
        now = {name: list(tables.get(name, ())) for name in READ}
        epoch = max(int(row["epoch"]) for row in now["epochs"])
        alone = Units.of_one(UnitRecords(trial, **now))
        for name, rule in self._rules():
            units, rows, earlier = alone, now, self._rows[name]
            if earlier:
                rows = {table: [*earlier[table], *new] for table, new in now.items()}
                units = Units.of_one(UnitRecords(trial, **rows))
            measured, before = rule.measure(units), self._readings[name]
            # What is known before training is one reading, however often it is looked at.
            new = measured.at(np.isnan(measured.epoch) | (measured.epoch == epoch))
            together = before.at(~np.isnan(before.epoch)).joined(new)
            for series, (seen, broken) in (
                Judged(rule, new, self._limits).counts().items() if rule.share else ()
            ):
                earlier_seen, often = self._tally[name].get(series, (0, 0))
                self._tally[name][series] = (earlier_seen + seen, often + broken)
            self._readings[name] = self._judged(name, rule, together).needed()
            self._rows[name] = _kept(rule, units, rows, epoch)
        return self.findings()

    def findings(self) -> list[Finding]:
        """Findings after the last epoch that was seen, in the order of the rules."""
        findings = []
        for name, rule in self._rules():
            judged = self._judged(name, rule, self._readings[name])
            findings += [judged.finding(series) for series in judged.series() if series.stands]
        return findings

    def state(self) -> dict[str, Any]:
        """Plain data: of a size that depends on the rules, cell lines and terms, not on the epochs."""
        readings = {name: readings.plain() for name, readings in self._readings.items()}
        return {"readings": readings, "rows": self._rows, "tally": self._tally}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on as the watch would whose `state` this is; of rules that it did not have there is nothing yet."""
        for name in self._readings.keys() & state["readings"].keys():
            self._readings[name] = Readings.of_plain(state["readings"][name])
            self._rows[name] = state["rows"][name]
        for name in self._tally.keys() & state["tally"].keys():
            self._tally[name] = {
                series: (seen, often) for series, (seen, often) in state["tally"][name].items()
            }

    def _judged(self, name: str, rule: Rule, readings: Readings) -> Judged:
        return Judged(rule, readings, self._limits, self._tally.get(name))

    def _rules(self) -> list[tuple[str, Rule]]:
        return [(name, RULES[name]) for name in self._readings]


def _kept(rule: Rule, units: Units, rows: Tables, epoch: int) -> Tables:
    """The `rows` of one unit that the rule reads again after epochs later than `epoch`; empty for none."""
    kept = {name: set[int]() for name in rows}
    tables = {"epochs": units.epochs, "terms": units.terms, "mechanisms": units.mechanisms}
    tables["audit"] = units.audit
    for name, remembered in rule.remembered(units).items():
        kept[name] |= set(tables[name].places()[remembered].tolist())
    if rule.window > 1:
        for name, places in kept.items():
            dated = ((at, row["epoch"]) for at, row in enumerate(rows[name]) if "epoch" in row)
            places |= {at for at, of in dated if of > epoch - rule.window + 1}
    return (
        {name: [rows[name][at] for at in sorted(places)] for name, places in kept.items()}
        if any(kept.values())
        else {}
    )
