"""What a reader finds in a run at one instant, as rows that can be compared bit by bit."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.schema import COMPACTED, KEYS, TABLES
from analysis.store import Run

Unit = tuple[str, str, int]
TIMES = frozenset({"wall_s", "cpu_s", "started", "finished"})
"""Columns that no repetition gives again."""
EXACT = tuple(name for name in COMPACTED if name != "units")
"""Tables whose rows are there at once with their epoch or at the unit's end, and never change."""
DONE = re.compile(r"^done +([0-9a-f]{12})  epoch", re.MULTILINE)
"""How a sweep says that a configuration has ended."""


@dataclass(frozen=True)
class Snapshot:
    """Rows of every table without their times, the seconds of every (unit, epoch), what units ended how, and what of the
    run could not be read, in sentences."""

    rows: dict[str, Counter[tuple[str, ...]]]
    epochs: dict[tuple[Unit, int], float]
    statuses: dict[Unit, str]
    problems: list[str]

    @classmethod
    def of(cls, path: Path) -> "Snapshot":
        """What `path` holds now; nothing where there is no folder yet."""
        if not path.is_dir():
            return cls({}, {}, {}, [])
        run = Run(path)
        rows: dict[str, Counter[tuple[str, ...]]] = {}
        epochs, statuses = {}, {}
        for name, schema in TABLES.items():
            frame = run.columns(name, schema.names)
            records = [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
            rows[name] = Counter(
                tuple(_exact(value) for column, value in row.items() if column not in TIMES)
                for row in records
            )
            for row in records:
                if name == "epochs":
                    epochs[_unit(row), int(row["epoch"])] = float(row["wall_s"])
                elif name == "units":
                    statuses[_unit(row)] = str(row["status"])
        return cls(rows, epochs, statuses, [*run.problems, *run.lost])

    def missing_from(self, other: "Snapshot", without: frozenset[Unit] = frozenset()) -> list[str]:
        """Rows of this one that `other` has not, in sentences; those of some units left out, and the rows of `units`, which
        change while a unit runs."""
        said = []
        for name in EXACT:
            gone = self.rows.get(name, Counter()) - other.rows.get(name, Counter())
            left = [row for row in gone if _named(row) not in without]
            if left:
                said.append(f"{len(left)} rows of {name}, such as {' '.join(left[0][:6])}")
        return said

    def unlike(self, other: "Snapshot", without: frozenset[Unit] = frozenset()) -> list[str]:
        """What differs in any bit between the two, in sentences; those of some units left out."""
        said = []
        for name in TABLES:
            here, there = self.rows.get(name, Counter()), other.rows.get(name, Counter())
            more = [row for row in here - there if _named(row) not in without]
            less = [row for row in there - here if _named(row) not in without]
            if more or less:
                first = " ".join((more or less)[0][:8])
                said.append(f"{name}: {len(more)} rows more and {len(less)} less, such as {first}")
        return said

    def repeated(self, earlier: "Snapshot") -> set[tuple[Unit, int]]:
        """(unit, epoch) of an earlier snapshot that were trained again since."""
        return {
            key
            for key, seconds in earlier.epochs.items()
            if key in self.epochs and self.epochs[key] != seconds
        }


def unkept_messages(printed: str, snapshot: Snapshot) -> list[str]:
    """What a sweep has said to be done and the store, read after that, does not have."""
    said = []
    for config in DONE.findall(printed):
        states = [status for unit, status in snapshot.statuses.items() if unit[0] == config]
        if set(states) != {"done"}:
            said.append(
                f"the sweep said that {config} is done, and the store has {states or 'nothing of it'}"
            )
    return said


def _unit(row: dict[str, Any]) -> Unit:
    return str(row["config"]), str(row["fold"]), int(row["seed"])


def _named(row: tuple[str, ...]) -> Unit | None:
    """The unit of a row, whose first columns name it in every table but `baselines`."""
    try:
        return row[0].strip("'"), row[1].strip("'"), int(row[2])
    except (IndexError, ValueError):
        return None


def _exact(value: Any) -> str:
    """A value in a text that has every bit of it."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return repr(value)


assert KEYS == ["config", "fold", "seed"]
