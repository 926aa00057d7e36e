"""Terms and mechanisms over the epochs of units: which were in force, and which ever acted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.rules.table import Floats, Ints, Mask, Table, last_of_each
from analysis.rules.units import Units

FIGURES = ("gradient", "moved", "amount")
"""Columns of `mechanisms` of which one that is not 0 says that the part acted."""


@dataclass(frozen=True)
class ActedRows:
    """Rows of one table (`at`: their positions there) with what they are of: thing [rows], a code of `names`, and whether
    it was in force there, acted there, and was in force without a known value."""

    at: Ints
    rows: Table
    thing: Ints
    names: tuple[str, ...]
    in_force: Mask
    acted: Mask
    unknown: Mask

    def places(self, count: int) -> Floats:
        """Of `count` units and every name [count, names]: NaN where the unit does not have it, 0 where it ever acted, else
        its place among the unit's, from 1 on, with a minus where it was never in force."""
        shape, place = (count, len(self.names)), self.rows.unit * len(self.names) + self.thing
        size = shape[0] * shape[1]

        def any_of(chosen: Mask) -> Mask:
            return np.asarray(np.bincount(place[chosen], minlength=size).reshape(shape) > 0)

        first = np.zeros(size)
        first[place[::-1]] = np.arange(len(self.rows), 0, -1)
        first = np.where(any_of(self.in_force), 1.0, -1.0) * first.reshape(shape)
        there = any_of(np.ones(len(self.rows), dtype=bool))
        return np.where(there, np.where(any_of(self.acted), 0.0, first), np.nan)

    def lacking(self, count: int) -> Mask:
        """Units [count] with something in force whose value is not known."""
        lacks = np.zeros(count, dtype=bool)
        lacks[self.rows.unit[self.unknown]] = True
        return lacks

    def most_telling(self) -> Mask:
        """Of every name the first row, which has its place, and the one that says most of it: of a missing value, else of
        an act, else of being in force [rows]; of one unit."""
        most = np.argsort(self.in_force.astype(np.int64) + self.acted + 2 * self.unknown, kind="stable")
        kept = np.zeros(len(self.thing), dtype=bool)
        kept[most[last_of_each(self.thing[most])]] = True
        kept[len(self.thing) - 1 - last_of_each(self.thing[::-1])] = True
        return kept


def of_terms(units: Units) -> ActedRows:
    """Loss terms by their key: acts by its value at any step of an epoch, or by its gradient at the last one."""
    at, rows, term, names = _named(units.terms, ["term"])
    in_force = (rows.numbers("weight") > 0) | (rows.numbers("in_force") > 0)
    acted = in_force & _any(rows, ("value", "acting", "grad_norm"))
    return ActedRows(at, rows, term, names, in_force, acted, in_force & np.isnan(rows.numbers("value")))


def of_mechanisms(units: Units) -> ActedRows:
    """Parts of mechanisms by `M12 gated gate`: act by any of their figures."""
    at, rows, part, names = _named(units.mechanisms, ["id", "mechanism", "part"])
    in_force = rows.numbers("in_force") > 0
    known = np.any([~np.isnan(rows.numbers(figure)) for figure in FIGURES], axis=0)
    return ActedRows(at, rows, part, names, in_force, in_force & _any(rows, FIGURES), in_force & ~known)


def _named(table: Table, columns: Sequence[str]) -> tuple[Ints, Table, Ints, tuple[str, ...]]:
    code, names = table.joined_texts(columns)
    at = np.flatnonzero(code >= 0)
    return at, table.where(at), code[at], names


def _any(rows: Table, figures: Sequence[str]) -> Mask:
    return np.any([np.nan_to_num(rows.numbers(figure)) != 0 for figure in figures], axis=0)
