"""The rules on a unit that runs: fed one epoch after the other, at a cost that does not grow with the epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from analysis.rules.records import Row, UnitRecords
from analysis.rules.rule import Finding, NotEvaluated, Reading, Rule, Violation

TABLES = ("epochs", "terms", "cells")


@dataclass(frozen=True)
class Series:
    """Violations in one scope that count so far: how many, the first one's epoch, and the worst one."""

    count: int = 0
    epoch: int | None = None
    reading: Reading | None = None
    violation: Violation | None = None

    def after(self, reading: Reading, broken: Violation | None, *, lasting: bool) -> "Series":
        """The series with one more reading: a lasting rule begins anew wherever it does not hold."""
        if broken is None:
            return Series() if lasting else self
        count = self.count + 1
        epochs = [epoch for epoch in (self.epoch, reading.epoch) if epoch is not None]
        first = min(epochs) if epochs else None
        if self.violation is not None and _far(self.violation) >= _far(broken):
            return replace(self, count=count, epoch=first)
        return Series(count, first, reading, broken)


class Watch:
    """Findings of `rules` after every epoch of a unit, equal to those of `Rule.findings` on all of its epochs so far.

    Kept are the rows of as many epochs as the rule with the widest `window` looks at, and one `Series` per rule and
    scope. `see` takes epochs in order, each once; `state` is plain data from which `resume` goes on.
    """

    def __init__(self, rules: Sequence[Rule], limits: Mapping[str, float]) -> None:
        self.rules, self.limits = tuple(rules), limits
        self._series: dict[str, dict[str, Series]] = {rule.id: {} for rule in self.rules}
        self._kept: list[dict[str, list[Row]]] = []

    def see(self, trial: Row, tables: Mapping[str, Sequence[Row]]) -> list[Finding]:
        """Judge the next epoch by its rows of `epochs`, `terms` and `cells`, and say what holds then."""
        epoch = max(int(row["epoch"]) for row in tables["epochs"])
        widest = max(rule.window for rule in self.rules)
        self._kept = [*self._kept, {name: list(tables[name]) for name in TABLES}][-widest:]
        records: dict[int, UnitRecords] = {}
        for rule in self.rules:
            if rule.window not in records:
                records[rule.window] = self._records(trial, rule.window)
            measured = rule.measure(records[rule.window])
            self._judge(rule, [] if isinstance(measured, NotEvaluated) else measured, epoch)
        return self.findings()

    def findings(self) -> list[Finding]:
        """What holds after the last epoch that was seen, in the order of the rules."""
        found = []
        for rule in self.rules:
            least = rule.patience if rule.lasting else 1
            for series in self._series[rule.id].values():
                if series.count >= least and series.reading is not None and series.violation is not None:
                    found.append(rule.found(series.reading, series.violation, series.epoch, live=False))
        return found

    def state(self) -> dict[str, Any]:
        """Plain data: of a size that depends on the rules and scopes, not on the epochs."""
        widest = max(rule.window for rule in self.rules)
        return {
            "series": {
                rule: {scope: asdict(series) for scope, series in scopes.items()}
                for rule, scopes in self._series.items()
            },
            "kept": self._kept[len(self._kept) - widest + 1 :] if widest > 1 else [],
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on as the watch would whose `state` this is; of rules that it did not have there is nothing yet."""
        self._kept = [dict(tables) for tables in state["kept"]]
        for rule, scopes in state["series"].items():
            if rule in self._series:
                self._series[rule] = {scope: _series(plain) for scope, plain in scopes.items()}

    def _records(self, trial: Row, window: int) -> UnitRecords:
        kept = self._kept[-window:]
        rows: dict[str, Any] = {name: [row for tables in kept for row in tables[name]] for name in TABLES}
        return UnitRecords(trial, **rows)

    def _judge(self, rule: Rule, measured: Sequence[Reading], epoch: int) -> None:
        scopes = self._series[rule.id]
        for reading in measured:
            if reading.epoch not in (None, epoch):
                continue
            # What is known before training is one reading, however often it is looked at.
            before = Series() if reading.epoch is None else scopes.get(reading.scope, Series())
            broken = rule.condition(reading, self.limits)
            scopes[reading.scope] = before.after(reading, broken, lasting=rule.lasting)


def _far(violation: Violation) -> float:
    return abs(violation.value - violation.limit)


def _series(plain: Mapping[str, Any]) -> Series:
    reading, violation = plain["reading"], plain["violation"]
    return Series(
        plain["count"],
        plain["epoch"],
        None if reading is None else Reading(**reading),
        None if violation is None else Violation(**violation),
    )
