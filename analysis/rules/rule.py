"""What a warning rule is: a measurement on one unit's records, and a condition on what was measured."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords, number

Severity = Literal["documented", "fault", "hint"]


@dataclass(frozen=True)
class Finding:
    """One raised warning; the fields are the columns of the table `warnings` beside the unit's own keys."""

    rule: str
    value: float
    limit: float
    severity: str
    epoch: int | None
    cell_line: str | None
    source: str
    advice: str
    evidence: str
    implied: bool
    live: bool

    def row(self) -> dict[str, Any]:
        """The finding as a row of the table `warnings`, without config, fold and seed."""
        return dict(vars(self))


@dataclass(frozen=True)
class NotEvaluated:
    """A rule could not be measured; `missing` names the absent input."""

    missing: str


@dataclass(frozen=True)
class Reading:
    """Numbers measured once: at an epoch (None: known before training), in a scope.

    `scope` joins the readings of one series over epochs (a cell line, macro, pooled, or the worst cell line);
    `final` marks the evaluation of the weights that are reported, as against an epoch's own row.
    """

    values: Mapping[str, float]
    epoch: int | None
    scope: str = ""
    cell_line: str | None = None
    final: bool = False


@dataclass(frozen=True)
class Violation:
    """A limit broken by a reading: the value, the limit, and the numbers in words."""

    value: float
    limit: float
    evidence: str
    implied: bool = False


class Rule(ABC):
    """One warning rule.

    `mark` is the letter that stands for the rule in a ranking. `limits` maps a limit's name to its
    default: the rule's own id first, further ones as `<id>.<part>`. `lasting` rules describe the model as
    it is: they stand when they hold at the last measured epoch or at the reported weights, for `patience`
    epochs in a row in the former case. The others stand once they held at all. `window` says how many epochs
    back from an epoch `measure` needs rows for that epoch's readings (1: its own rows are enough); while a trial
    runs it is given no more than that.
    """

    id: ClassVar[str]
    mark: ClassVar[str]
    condition_text: ClassVar[str]
    severity: ClassVar[Severity]
    source: ClassVar[str]
    advice: ClassVar[str]
    limits: ClassVar[dict[str, float]]
    lasting: ClassVar[bool] = True
    screens: ClassVar[bool] = False
    patience: ClassVar[int] = 1
    window: ClassVar[int] = 1

    @abstractmethod
    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        """All readings of the unit so far, in order of epoch, or what is missing for them."""

    def lacking(self, measured: list[Reading]) -> str | None:
        """What a part of the condition misses on what `measure` gave; None where all of it was judged.

        A rule that lacks something and stands all the same is judged: its other part was enough.
        """
        return None

    @abstractmethod
    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        """The limit that this reading breaks, if any."""

    def columns(self, run: RunColumns) -> Readings | None:
        """The readings that `measure` gives of every unit, at once; None where a rule has no such short cut.

        A unit of which there is no reading is measured by itself, which says what is missing. With `screens` the
        readings suffice for `excess` only, and units in which the rule stands are measured by themselves.
        """
        return None

    def columns_lacking(self, readings: Readings) -> Mapping[int, str]:
        """`lacking` of every unit that has readings and lacks something, by its position in `trials`."""
        return {}

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        """|value - limit| of every reading [n] whose `condition` is a violation, NaN for the others."""
        raise NotImplementedError(f"rule {self.id} gives columns, and no excess for them")

    def findings(
        self, measured: list[Reading] | NotEvaluated, limits: Mapping[str, float], *, live: bool
    ) -> list[Finding]:
        """One finding per scope in which the rule stands on what `measure` gave: worst value, first epoch."""
        if isinstance(measured, NotEvaluated):
            return []
        scopes: dict[str, list[tuple[Reading, Violation | None]]] = {}
        for reading in measured:
            scopes.setdefault(reading.scope, []).append((reading, self.condition(reading, limits)))
        standing = [self._standing(judged) for judged in scopes.values()]
        return [self._finding(broken, live) for broken in standing if broken]

    def _standing(self, judged: list[tuple[Reading, Violation | None]]) -> list[tuple[Reading, Violation]]:
        """The violations that count, in order of epoch."""
        if not self.lasting:
            return [(reading, broken) for reading, broken in judged if broken]
        epochs = [pair for pair in judged if not pair[0].final]
        standing = _unbroken(epochs)
        if len(standing) < self.patience:
            standing = []
        for reading, broken in judged:
            if reading.final and broken:
                before = [p for p in epochs if (p[0].epoch or 0) <= (reading.epoch or 0)]
                standing = [*_unbroken(before), (reading, broken), *standing]
        return standing

    def _finding(self, standing: list[tuple[Reading, Violation]], live: bool) -> Finding:
        reading, worst = max(standing, key=lambda pair: (abs(pair[1].value - pair[1].limit), pair[0].final))
        epochs = [r.epoch for r, _ in standing if r.epoch is not None]
        return self.found(reading, worst, min(epochs) if epochs else None, live=live)

    def found(self, reading: Reading, worst: Violation, epoch: int | None, *, live: bool) -> Finding:
        """The finding of a scope by its worst reading and the first epoch at which the rule held."""
        return Finding(
            rule=self.id,
            value=float(worst.value),
            limit=float(worst.limit),
            severity=self.severity,
            epoch=epoch,
            cell_line=reading.cell_line,
            source=self.source,
            advice=self.advice,
            evidence=worst.evidence,
            implied=worst.implied,
            live=live,
        )


def _unbroken(judged: list[tuple[Reading, Violation | None]]) -> list[tuple[Reading, Violation]]:
    """The run of violations that reaches the end of the series."""
    run: list[tuple[Reading, Violation]] = []
    for reading, broken in reversed(judged):
        if broken is None:
            break
        run.append((reading, broken))
    return run[::-1]


def cell_readings(
    unit: UnitRecords, columns: list[str], *, optional: Sequence[str] = (), pooled: bool = True
) -> list[Reading] | NotEvaluated:
    """Readings of the unseen validation rows, one series per cell line and, with `pooled`, one for all pairs.

    A row in which one of `columns` is null is skipped, and when nothing is left the answer is NotEvaluated;
    a column of `optional` is in a reading's values wherever it is not null.
    """
    rows = unit.unseen()
    if not rows:
        return NotEvaluated("rows of split val_unseen in the table cells")
    absent = [column for column in columns if all(column not in row for row in rows)]
    if absent:
        return NotEvaluated(f"column {', '.join(absent)} of the table cells")
    left_out = ("macro",) if pooled else ("macro", "pooled")
    measured = [*columns, *optional]
    readings = []
    for row in rows:
        name = str(row["cell_line"])
        if name in left_out:
            continue
        values = {column: value for column in measured if (value := number(row, column)) is not None}
        if all(column in values for column in columns):
            readings.append(Reading(values, int(row["epoch"]), name, name, row["selection"] != "epoch"))
    return readings or NotEvaluated(f"values of {', '.join(columns)} for the unseen validation cell lines")
