"""The interface of a warning rule: a measurement on columns of units, and a condition on its readings."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from analysis.errors import UserError
from analysis.rules.readings import Readings
from analysis.rules.table import Floats, Mask
from analysis.rules.units import Units
from analysis.schema import UNDATED

SEVERITIES = ("documented", "fault", "hint")
"""Kinds of a finding: beyond a documented limit, a fault of the model or its training, or worth a look."""


@dataclass(frozen=True)
class Finding:
    """One raised warning; the fields are the columns of the table `warnings` beside the unit's own keys."""

    rule: str
    mark: str
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
    series: str = ""
    """What it is of among the readings of the unit, a cell line or a loss term; no column, since the evidence says it."""

    def row(self) -> dict[str, Any]:
        """The finding as a row of the table `warnings`, without config, fold and seed."""
        return {name: value for name, value in vars(self).items() if name != "series"}


class RuleError(UserError):
    """What a rule gives is none of what a rule has to give; `rule` is its id."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(f"warning rule {rule}: {sentence}")
        self.rule = rule


class Reading(NamedTuple):
    """One reading that a rule stands on, in plain numbers: `values` has those that it has, `limits` those in force;
    `series` is the name of what it is of."""

    values: Mapping[str, float]
    limits: Mapping[str, float]
    epoch: int | None
    cell_line: str | None
    final: bool
    series: str = ""

    @property
    def when(self) -> str:
        """`at epoch 7`, or `at its end` of what was reported without an epoch."""
        return "at its end" if self.epoch == UNDATED else f"at epoch {self.epoch}"


class Broken(NamedTuple):
    """Of every reading [n] the value that is judged, its limit, and whether the limit is broken."""

    value: Floats
    limit: Floats
    broken: Mask


class Rule(ABC):
    """One warning rule, judged on the columns of any number of units; a unit that runs is a run of one.

    `mark` is the letter that stands for the rule in a ranking, `order` its place among the others. `limits` maps a
    limit's name to its default: the rule's own id first, further ones as `<id>.<part>`. `lasting` rules describe the
    model as it is: they stand when they hold at the last measured epoch or at the reported weights, for `patience`
    epochs in a row in the former case. One with a `share` stands where it held in at least that share of the readings of
    a series, `patience` of them at least. The others stand once they held at all. While a trial runs, `measure` is given
    the rows of the last `window` epochs, and earlier ones that `remembered` kept. What is empty must be declared.
    """

    id: ClassVar[str] = ""
    mark: ClassVar[str] = ""
    condition_text: ClassVar[str] = ""
    severity: ClassVar[str] = ""
    source: ClassVar[str] = ""
    advice: ClassVar[str] = ""
    limits: ClassVar[Mapping[str, float]] = {}
    order: ClassVar[int] = 1000
    lasting: ClassVar[bool] = True
    share: ClassVar[float] = 0.0
    patience: ClassVar[int] = 1
    window: ClassVar[int] = 1

    @abstractmethod
    def measure(self, units: Units) -> Readings:
        """All readings of the units so far, and the missing input where there is none."""

    @abstractmethod
    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        """Which of n readings break the rule's limits, both by name [n]."""

    @abstractmethod
    def evidence(self, reading: Reading) -> str:
        """The numbers of a reading that breaks the limit, in words."""

    def implied(self, reading: Reading) -> bool:
        """Whether the data or the sizes imply it before any training."""
        return False

    def lacking(self, readings: Readings) -> Mapping[int, str]:
        """Unit -> what a part of the condition misses there, of units with readings (sorted).

        A rule that lacks something and stands all the same is judged: its other part was enough.
        """
        return {}

    def remembered(self, units: Units) -> Mapping[str, Mask]:
        """Table (`epochs`, `terms`, `mechanisms`, `audit`) -> its rows [rows] that later epochs need as long as it runs.

        Their number must not grow with the epochs.
        """
        return {}
