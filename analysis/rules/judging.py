"""Judging units by the rules: findings, and rules that lack an input."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from analysis.rules.chance import UNDERPOWERED
from analysis.rules.ended import NOTHING
from analysis.rules.readings import Readings
from analysis.rules.registry import LIMITS, RULES, check_limits
from analysis.rules.rule import Finding, Rule
from analysis.rules.standing import Judged, Limits
from analysis.rules.units import UnitRecords, Units


@dataclass(frozen=True)
class Judgement:
    """Result of judging units: (unit, finding) in the order of the rules; rule -> unit -> the input that is missing;
    rule -> those of the latter of which a part was judged, and did not stand."""

    findings: list[tuple[int, Finding]] = field(default_factory=list)
    missing: dict[str, dict[int, str]] = field(default_factory=dict)
    partly: dict[str, set[int]] = field(default_factory=dict)

    def unable(self, unit: int, rule: str) -> bool:
        """Whether nothing of a rule could be judged in a unit."""
        return unit in self.missing[rule] and unit not in self.partly[rule]


def judge(units: Units, limits: Limits | None = None, rules: Iterable[Rule] | None = None) -> Judgement:
    """Judge units by every rule, or by `rules`, with `limits` in place of the documented ones: each a number, or one
    per unit [units].

    A rule whose inputs are missing in a unit raises nothing there and is named in `missing`. Raises UserError for a
    limit that no rule has.
    """
    check_limits(limits or {})
    in_force = {**LIMITS, **(limits or {})}
    whole = Judgement()
    for rule in RULES.values() if rules is None else rules:
        judged = Judged(rule, rule.measure(units), in_force)
        unit = judged.readings.unit
        standing = [(int(unit[series.worst]), series) for series in judged.series() if series.stands]
        whole.findings.extend((at, judged.finding(series)) for at, series in standing)
        raised = {at for at, _ in standing}
        partly = {at: what for at, what in rule.lacking(judged.readings).items() if at not in raised}
        whole.partly[rule.id] = set(partly)
        whole.missing[rule.id] = {**partly, **_without(judged.readings, units.count)}
    return whole


def evaluate(records: UnitRecords, limits: Mapping[str, float] | None = None) -> list[Finding]:
    """The findings of one unit."""
    return [finding for _, finding in judge(Units.of_one(records), limits).findings]


def not_evaluated(records: UnitRecords) -> dict[str, str]:
    """Rule id -> the input that was missing, for every rule that could not be judged on one unit."""
    missing = judge(Units.of_one(records)).missing
    return {rule: units[0] for rule, units in missing.items() if units}


def why(missing: str) -> str:
    """Why a rule was not evaluated, in words that can follow a colon, by what is `missing`."""
    return missing if missing.startswith((UNDERPOWERED, NOTHING)) else f"lacking {missing}"


def _without(readings: Readings, units: int) -> dict[int, str]:
    """Units without a reading, and the first thing that each lacks."""
    without = ~readings.has(units)
    missing: dict[int, str] = {}
    for what, lacking in readings.lacks:
        chosen = np.flatnonzero(without & lacking)
        missing |= dict.fromkeys(chosen.tolist(), what)
        without[chosen] = False
    return missing
