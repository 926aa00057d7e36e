"""Which series of readings a rule stands in, on all units at once: as `Rule.findings`, on columns."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.rules.columns import Readings
from analysis.rules.rule import Finding, Reading, Rule


@dataclass(frozen=True)
class Standing:
    """A rule that stands in one scope of one unit: the position of its worst reading, and its first epoch."""

    unit: int
    worst: int
    epoch: int | None


def standing(readings: Readings, excess: np.ndarray, *, lasting: bool, patience: int) -> Iterator[Standing]:
    """Every scope in which the rule stands; `excess` [n]: |value - limit| where the limit is broken, else NaN.

    `readings` are sorted. Of readings that break the limit equally far the first one is the worst, but that of the
    reported weights before all others.
    """
    if not len(readings.unit):
        return
    begins = np.flatnonzero(
        np.concatenate(
            [[True], (np.diff(readings.unit) != 0) | (np.diff(readings.scope) != 0)],
        )
    )
    ends = np.append(begins[1:], len(readings.unit))
    any_broken = np.logical_or.reduceat(~np.isnan(excess), begins)
    broken, far = (~np.isnan(excess)).tolist(), excess.tolist()
    final, epoch = readings.final.tolist(), readings.epoch.tolist()
    for begin, end in zip(begins[any_broken].tolist(), ends[any_broken].tolist(), strict=True):
        middle = begin
        while middle < end and not final[middle]:
            middle += 1
        if lasting:
            counted = _lasting(begin, middle, end, broken, epoch, patience)
        else:
            counted = [at for at in range(begin, end) if broken[at]]
        if counted:
            worst = max(counted, key=lambda at: (far[at], final[at]))
            epochs = [epoch[at] for at in counted if epoch[at] == epoch[at]]
            yield Standing(int(readings.unit[begin]), worst, int(min(epochs)) if epochs else None)


def _lasting(
    begin: int, middle: int, end: int, broken: list[bool], epoch: list[float], patience: int
) -> list[int]:
    """Violations that count of a lasting rule: those that reach the last epoch, or the reported weights."""
    counted = _unbroken(begin, middle, broken)
    if len(counted) < patience:
        counted = []
    for at in range(middle, end):
        if broken[at]:
            before = middle
            while before > begin and not epoch[before - 1] <= epoch[at]:
                before -= 1
            counted = [*_unbroken(begin, before, broken), at, *counted]
    return counted


def _unbroken(begin: int, end: int, broken: list[bool]) -> list[int]:
    first = end
    while first > begin and broken[first - 1]:
        first -= 1
    return list(range(first, end))


def findings(
    rule: Rule, readings: Readings, stands: Iterable[Standing], limits: Mapping[str, float]
) -> Iterator[tuple[int, Finding]]:
    """(unit, finding) of every scope in which the rule `stands`; `live` is left to the caller.

    Raises RuntimeError when the rule's `excess` and its `condition` contradict each other.
    """
    for one in stands:
        at = one.worst
        values = {
            name: float(column[at]) for name, column in readings.values.items() if column[at] == column[at]
        }
        epoch = readings.epoch[at]
        line = None if readings.cell_line is None else str(readings.cell_line[at])
        reading = Reading(values, int(epoch) if epoch == epoch else None, "", line, bool(readings.final[at]))
        violation = rule.condition(reading, limits)
        if violation is None:
            raise RuntimeError(f"rule {rule.id}: excess and condition disagree on {reading}")
        yield one.unit, rule.found(reading, violation, one.epoch, live=False)
