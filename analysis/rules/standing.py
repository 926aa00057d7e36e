"""One rule on its readings: which limits are broken, in which series the rule stands, and what it says there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.rules.readings import Readings
from analysis.rules.rule import Broken, Finding, Reading, Rule, RuleError
from analysis.rules.table import Floats

Limits = Mapping[str, float | Floats]
Tally = Mapping[str, tuple[int, int]]
"""Name of a series -> its readings so far, and those of them that broke the limit."""


@dataclass(frozen=True)
class Series:
    """A series in which a limit is broken: positions of the readings that count, and of the worst of them.

    `epoch` is the first of those that count, None for what is known before training. `stands`: whether the rule does; a
    lasting one may lack the patience for it yet.
    """

    counted: list[int]
    worst: int
    epoch: int | None
    stands: bool


class Judged:
    """Readings judged by their rule: `readings` in order, `limits` by name [n], and which of them are `broken`."""

    def __init__(self, rule: Rule, readings: Readings, limits: Limits, tally: Tally | None = None) -> None:
        """`limits` of all rules: of all units, or one for each [units]. `tally`: of one unit whose earlier readings are not
        all there."""
        if not isinstance(readings, Readings):
            raise RuleError(rule.id, f"it measures a {type(readings).__name__}, expected Readings")
        self.rule, self.readings, self._tally = rule, readings.sorted(), tally
        unit = self.readings.unit
        each = ((name, limits[name]) for name in rule.limits)
        self.limits = {
            name: limit[unit] if isinstance(limit, np.ndarray) else np.full(len(unit), float(limit))
            for name, limit in each
        }
        nothing = Broken(*(np.empty(0, dtype=kind) for kind in (float, float, bool)))
        self.broken = _checked(rule, self.readings, self.limits) if len(unit) else nothing

    def series(self) -> Iterator[Series]:
        """Every series in which a violation counts.

        Of readings that break the limit equally far the first one is the worst, but that of the reported weights before
        all others.
        """
        if not self.broken.broken.any():
            return
        changes = (np.diff(self.readings.unit) != 0) | (np.diff(self.readings.scope) != 0)
        begins = np.flatnonzero(np.concatenate([[True], changes]))
        ends = np.append(begins[1:], len(self.readings))
        some = np.logical_or.reduceat(self.broken.broken, begins)
        far = np.abs(self.broken.value - self.broken.limit)
        for begin, end in zip(begins[some].tolist(), ends[some].tolist(), strict=True):
            part = slice(begin, end)
            broken, epoch = self.broken.broken[part].tolist(), self.readings.epoch[part].tolist()
            final, excess = self.readings.final[part].tolist(), far[part].tolist()
            counted, stands = [at for at, one in enumerate(broken) if one], True
            if self.rule.share:
                stands = self._often(begin, broken)
            elif self.rule.lasting:
                counted, stands = _lasting(broken, final, epoch, self.rule.patience)
            if counted:
                worst = max(counted, key=lambda at: (excess[at], final[at]))
                epochs = [epoch[at] for at in counted if epoch[at] == epoch[at]]
                first = int(min(epochs)) if epochs else None
                yield Series([begin + at for at in counted], begin + worst, first, stands)

    def _often(self, begin: int, broken: list[bool]) -> bool:
        """Whether a series that begins there broke its limit in the rule's share of all of its readings."""
        seen, often = len(broken), sum(broken)
        if self._tally is not None:
            seen, often = self._tally[self._name(begin)]
        return seen >= self.rule.patience and often >= self.rule.share * seen

    def counts(self) -> Tally:
        """Readings of every series by its name, and those of them that break the limit; of one unit."""
        counts: dict[str, tuple[int, int]] = {}
        for at, broken in enumerate(self.broken.broken.tolist()):
            seen, often = counts.get(self._name(at), (0, 0))
            counts[self._name(at)] = (seen + 1, often + broken)
        return counts

    def _name(self, at: int) -> str:
        return self.readings.names[int(self.readings.scope[at])]

    def needed(self) -> Readings:
        """The readings that decide, together with those of later epochs, what all of them would."""
        kept: set[int] = set()
        for one in self.series():
            kept |= {one.counted[0], one.worst, *one.counted[-self.rule.patience :]}
        return self.readings.at(sorted(kept))

    def finding(self, series: Series) -> Finding:
        """The finding of a series: the worst value, the first epoch, and the numbers in words."""
        at, rule, epoch = series.worst, self.rule, self.readings.epoch[series.worst]
        line = int(self.readings.line[at])
        reading = Reading(
            values={
                k: float(column[at]) for k, column in self.readings.values.items() if column[at] == column[at]
            },
            limits={name: float(limit[at]) for name, limit in self.limits.items()},
            epoch=int(epoch) if epoch == epoch else None,
            cell_line=None if line < 0 else self.readings.names[line],
            final=bool(self.readings.final[at]),
            series=self._name(at),
        )
        return Finding(
            rule=rule.id,
            mark=rule.mark,
            value=float(self.broken.value[at]),
            limit=float(self.broken.limit[at]),
            severity=rule.severity,
            epoch=series.epoch,
            cell_line=reading.cell_line,
            source=rule.source,
            advice=rule.advice,
            evidence=rule.evidence(reading),
            implied=rule.implied(reading),
            live=False,
            series=reading.series,
        )


def _checked(rule: Rule, readings: Readings, limits: Mapping[str, Floats]) -> Broken:
    """What the rule's condition gives; raises RuleError for anything but a value, a limit and a mask per reading."""
    broken, count = rule.condition(readings.values, limits), len(readings)
    if not isinstance(broken, Broken):
        raise RuleError(
            rule.id, f"its condition gives a {type(broken).__name__}, expected Broken(value, limit, broken)"
        )
    for name, part in broken._asdict().items():
        wanted = "a mask" if name == "broken" else "numbers"
        fits = (
            isinstance(part, np.ndarray)
            and part.shape == (count,)
            and (part.dtype == bool) == (name == "broken")
        )
        if not fits:
            said = (
                f"an array of shape {part.shape} and {part.dtype}"
                if isinstance(part, np.ndarray)
                else repr(part)
            )
            raise RuleError(
                rule.id, f"its condition gives {name} = {said}, expected {wanted} of shape ({count},)"
            )
    return broken


def _lasting(
    broken: list[bool], final: list[bool], epoch: list[float], patience: int
) -> tuple[list[int], bool]:
    """Violations of a lasting rule that reach the last epoch or the reported weights, and whether they suffice."""
    middle = final.index(True) if True in final else len(final)
    counted = _unbroken(middle, broken)
    reported = [at for at in range(middle, len(broken)) if broken[at]]
    if not reported:
        return counted, len(counted) >= patience
    counted = counted if len(counted) >= patience else []
    for at in reported:
        before = middle
        while before > 0 and not epoch[before - 1] <= epoch[at]:
            before -= 1
        counted = [*_unbroken(before, broken), at, *counted]
    return counted, True


def _unbroken(end: int, broken: list[bool]) -> list[int]:
    first = end
    while first > 0 and broken[first - 1]:
        first -= 1
    return list(range(first, end))
