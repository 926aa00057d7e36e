"""Whether two recordings are equal bit for bit, each read in the names of the first recorded revision."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.replay import names
from tests.replay.read import shown
from tests.replay.renames import Renames, ReplayError, renamed, unmet

Flat = dict[str, dict[str, Any]]
"""Kind (tensors, arrays, rows) -> name -> hash, or row by column."""


@dataclass
class Equality:
    """How much of one configuration is equal: (equal, in all) by kind, and a sentence for every difference."""

    name: str
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def compare(before: dict[str, Any], after: dict[str, Any], renames: Renames) -> list[Equality]:
    """Every configuration of either recording, or of both where one has a part of them (`--only`): `before` under the
    renames that it was recorded with, `after` under these.

    Raises ReplayError for an entry of `renames` that acts on nothing in complete recordings (but what was gone or added
    before `before` as well), for a configuration in which two things get one name, and for recordings that have none in
    common.
    """
    met: dict[str, set[str]] = {kind: set() for kind in vars(renames)}
    earlier = Renames.of(before["renames"])
    old = _read(before, earlier, {kind: set() for kind in met})
    new = _read(after, renames, met)
    complete = before["complete"] and after["complete"]
    every = [name for name in dict.fromkeys([*old, *new]) if complete or (name in old and name in new)]
    if not every:
        raise ReplayError("the recordings have no configuration in common")
    equalities = [_compare(name, old.get(name), new.get(name), renames, met) for name in every]
    if complete:
        for kind in ("gone", "added"):
            met[kind].update(getattr(earlier, kind))
        # Keys and values act on configurations, and were looked at as `after` was recorded.
        kinds = ("tables", "columns", "words", "tensors", "gone", "added")
        problems = [line for kind in kinds for line in unmet(kind, getattr(renames, kind), met[kind])]
        if problems:
            raise ReplayError("; ".join(problems))
    return equalities


def _compare(
    name: str, old: Flat | None, new: Flat | None, renames: Renames, met: dict[str, set[str]]
) -> Equality:
    equality = Equality(name)
    if old is None or new is None:
        equality.differences.append("only " + ("after" if old is None else "before"))
        return equality
    for kind in old:
        equal = 0
        left = {
            key: value for key, value in old[kind].items() if not _excused(key, renames.gone, met["gone"])
        }
        right = {
            key: value for key, value in new[kind].items() if not _excused(key, renames.added, met["added"])
        }
        every = dict.fromkeys([*left, *right])
        for key in every:
            if key not in left or key not in right:
                equality.differences.append(f"{key}: only {'before' if key in left else 'after'}")
                continue
            difference = _difference(key, left[key], right[key], renames, met)
            equal += difference is None
            equality.differences += [] if difference is None else [difference]
        equality.counts[kind] = (equal, len(every))
    return equality


def _difference(key: str, old: Any, new: Any, renames: Renames, met: dict[str, set[str]]) -> str | None:
    """What is different of a hash or a row, or None."""
    if not isinstance(old, dict):
        return None if old == new else f"{key}: other values"
    table = key.partition("/")[0]
    for column in dict.fromkeys([*old, *new]):
        name = f"{table}.{column}"
        if column not in new:
            if not _excused(name, renames.gone, met["gone"]):
                return f"{key} {column}: only before"
        elif column not in old:
            if not _excused(name, renames.added, met["added"]):
                return f"{key} {column}: only after"
        elif old[column] != new[column] or type(old[column]) is not type(new[column]):
            return f"{key} {column}: {shown(old[column])} -> {shown(new[column])}"
    return None


def _excused(name: str, entries: dict[str, str], met: set[str]) -> bool:
    """Whether the name, or what stands above it, is listed as one without a counterpart."""
    above = [entry for entry in entries if name == entry or name.startswith((entry + ".", entry + "/"))]
    # A checkpoint's name stands before that of its tensors, and is no part of the table's.
    rest = name.partition(".")[2]
    above += [entry for entry in entries if rest == entry or rest.startswith(entry + ".")]
    met.update(above)
    return bool(above)


def _read(recording: dict[str, Any], renames: Renames, met: dict[str, set[str]]) -> dict[str, Flat]:
    """The configurations of a recording in the names of the first recorded revision."""
    back = _Back(renames, met)
    return {name: back.configuration(name, content) for name, content in recording["configurations"].items()}


class _Back:
    """Names of a recording, translated back; `met` collects the entries that acted."""

    def __init__(self, renames: Renames, met: dict[str, set[str]]) -> None:
        self.met = met
        self.back: dict[str, dict[str, str]] = {
            kind: {new: old for old, new in getattr(renames, kind).items()}
            for kind in ("tables", "words", "tensors")
        }
        self.columns: dict[str, dict[str, str]] = {}
        for old, new in renames.columns.items():
            table, _, column = old.rpartition(".")
            self.columns.setdefault(table, {})[new] = column

    def configuration(self, name: str, content: dict[str, Any]) -> Flat:
        flat: Flat = {
            "tensors": self._unique(name, self._tensors(content["tensors"])),
            "arrays": self._unique(name, self._arrays(content["arrays"])),
            "rows": self._unique(name, self._rows(content["rows"])),
        }
        return flat

    def _tensors(self, tensors: dict[str, str]) -> Iterator[tuple[str, str]]:
        for name, value in tensors.items():
            checkpoint, _, inner = name.partition(".")
            acted: set[str] = set()
            old = renamed(inner, self.back["tensors"], acted)
            self.met["tensors"] |= {self.back["tensors"][new] for new in acted}
            yield f"{checkpoint}.{old}", value

    def _arrays(self, arrays: dict[str, dict[str, dict[str, str]]]) -> Iterator[tuple[str, str]]:
        for table, columns in arrays.items():
            old = self._name("tables", table)
            for column, splits in columns.items():
                known = self._column(old, column)
                for split, value in splits.items() if known not in names.EXCLUDED else ():
                    yield f"{old}.{known}.{self._name('words', split)}", value

    def _rows(self, tables: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for table, rows in tables.items():
            old = self._name("tables", table)
            times: dict[str, int] = {}
            for row in rows:
                translated = {
                    self._column(old, column): self._name("words", value) if isinstance(value, str) else value
                    for column, value in row.items()
                }
                translated = {k: v for k, v in translated.items() if k not in names.EXCLUDED}
                key = "/".join([old, *(str(translated.get(column)) for column in names.KEYS[old])])
                times[key] = times.get(key, 0) + 1
                yield (key if times[key] == 1 else f"{key}/{times[key]}"), translated

    def _name(self, kind: str, name: str) -> str:
        old = self.back[kind].get(name, name)
        if name in self.back[kind]:
            self.met[kind].add(old)
        return old

    def _column(self, table: str, column: str) -> str:
        old = self.columns.get(table, {}).get(column, column)
        if old != column:
            self.met["columns"].add(f"{table}.{old}")
        return old

    @staticmethod
    def _unique(name: str, pairs: Iterator[tuple[str, Any]]) -> dict[str, Any]:
        unique: dict[str, Any] = {}
        for key, value in pairs:
            if key in unique:
                raise ReplayError(f"{name}: two things are called '{key}' under the renames")
            unique[key] = value
        return unique
