"""Readings of a rule: numbers of many units at once, in series over epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.rules.table import Floats, Ints, Mask, Table, line_order

Lacks = Sequence[tuple[str, Mask]]


@dataclass(frozen=True)
class Readings:
    """Readings of one rule.

    unit [n]; epoch [n], NaN for what is known before training; final [n]: the evaluation of the weights that are
    reported, as against an epoch's own row; values: name -> [n], NaN where a reading does not have it. scope [n] joins
    the readings of one series of a unit, line [n] is the cell line, -1 for none: both are codes of `names`. lacks: an
    input in words, and the units [units] that lack it; of a unit without a reading the first that holds is why.
    """

    unit: Ints
    epoch: Floats
    final: Mask
    values: Mapping[str, Floats]
    scope: Ints
    line: Ints
    names: tuple[str, ...]
    lacks: Lacks = ()

    @classmethod
    def of_units(
        cls, unit: Ints, epoch: Floats, values: Mapping[str, Floats], lacks: Lacks = ()
    ) -> "Readings":
        """One series per unit, of no cell line."""
        zero = np.zeros(len(unit), dtype=np.int64)
        return cls(unit, epoch, zero > 0, values, zero, zero - 1, ("",), lacks)

    @classmethod
    def of_lines(cls, rows: Table, values: Mapping[str, Floats], lacks: Lacks = ()) -> "Readings":
        """One reading per row of `cells`, one series per cell line."""
        codes, names = rows.lines()
        final = ~rows.equals("selection", "epoch")
        return cls(rows.unit, rows.numbers("epoch"), final, values, codes, codes, names, lacks)

    def __len__(self) -> int:
        return len(self.unit)

    def at(self, chosen: Any) -> "Readings":
        """The readings at positions, or of a mask."""
        values = {name: column[chosen] for name, column in self.values.items()}
        return replace(
            self,
            unit=self.unit[chosen],
            epoch=self.epoch[chosen],
            final=self.final[chosen],
            values=values,
            scope=self.scope[chosen],
            line=self.line[chosen],
        )

    def sorted(self) -> "Readings":
        """By unit, series, epochs before reported weights, and epoch."""
        return self.at(np.lexsort((self.epoch, self.final, self.scope, self.unit)))

    def joined(self, other: "Readings") -> "Readings":
        """These and those of `other`, and the inputs that either lacks; a value that only one has is NaN in the other."""
        names = sorted({*self.names, *other.names}, key=line_order)
        # A code of -1 stays what it is.
        mine, theirs = (
            np.array([*map(names.index, each.names), -1], dtype=np.int64) for each in (self, other)
        )
        together = {
            name: np.concatenate([_values(self, name), _values(other, name)])
            for name in {**self.values, **other.values}
        }
        return Readings(
            np.concatenate([self.unit, other.unit]),
            np.concatenate([self.epoch, other.epoch]),
            np.concatenate([self.final, other.final]),
            together,
            np.concatenate([mine[self.scope], theirs[other.scope]]),
            np.concatenate([mine[self.line], theirs[other.line]]),
            tuple(names),
            [*self.lacks, *other.lacks],
        )

    def with_values(self, values: Mapping[str, Floats], lacks: Lacks | None = None) -> "Readings":
        """The same with more values [n], and with other inputs that are lacking."""
        lacks = self.lacks if lacks is None else lacks
        return replace(self, values={**self.values, **values}, lacks=lacks)

    def has(self, units: int) -> Mask:
        """Which units have a reading [units]."""
        having = np.zeros(units, dtype=bool)
        having[self.unit] = True
        return having

    def plain(self) -> dict[str, Any]:
        """Plain data without `lacks`, from which `of_plain` makes the same again."""
        return {
            "unit": self.unit.tolist(),
            "epoch": self.epoch.tolist(),
            "final": self.final.tolist(),
            "values": {name: column.tolist() for name, column in self.values.items()},
            "scope": self.scope.tolist(),
            "line": self.line.tolist(),
            "names": list(self.names),
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Readings":
        """The readings from which `plain` made its data."""
        return cls(
            np.array(plain["unit"], dtype=np.int64),
            np.array(plain["epoch"], dtype=np.float64),
            np.array(plain["final"], dtype=np.bool_),
            {name: np.array(column, dtype=np.float64) for name, column in plain["values"].items()},
            np.array(plain["scope"], dtype=np.int64),
            np.array(plain["line"], dtype=np.int64),
            tuple(plain["names"]),
        )


NOTHING = Readings.of_units(np.zeros(0, dtype=np.int64), np.zeros(0), {})


def _values(readings: Readings, name: str) -> Floats:
    return readings.values[name] if name in readings.values else np.full(len(readings), np.nan)
