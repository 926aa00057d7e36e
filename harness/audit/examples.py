"""Which examples are recorded, and what they computed then."""

import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.audit.example import Example, ExamplePlace
from harness.audit.example_digest import Digests
from harness.config.space.compose import SEARCH_SPACES
from harness.mechanisms.alone import alone
from harness.mechanisms.catalogue import catalogue, configured
from harness.mechanisms.mechanism import Mechanism

FILE = Path(__file__).with_name("examples.json")
PLACE = "harness/audit/examples.json"
WHOLE = Example("a whole trial", "rp24", whole=True)
"""Every trial is held against this one, whatever it has."""
CONFIGURATION = "configuration"
OTHER, LONG = "{name} at other values", "{name} of long sequences"
PARTED = ("preset rp24", "preset cross_attention")
"""Examples of whose encoders there is one of long sequences, too."""
NONE = frozenset[str]()
ENCODERS = frozenset({"cbat", "cross_attention"})
FEW = 3
"""Mechanisms that a preset has to add before its example is asked in place of those of single mechanisms."""


class ExampleEntry(NamedTuple):
    """An example, keys of the mechanisms that it has, and the id of its configuration."""

    example: Example
    keys: frozenset[str]
    configuration: str


class ExampleRecord(NamedTuple):
    """What an example computed, and the id of the configuration that did."""

    configuration: str
    values: Digests


@cache
def examples(*, every: bool = False) -> dict[str, ExampleEntry]:
    """Name -> example: of every preset, and by itself of every mechanism that no preset has and that is recorded (`every`:
    recorded or not), which what a person brings is not."""
    made = [
        Example(f"preset {file.stem}", file.stem)
        for file in sorted((SEARCH_SPACES / "presets").glob("*.yaml"))
    ]
    entries = {each.name: _entry(each) for each in made}
    covered = frozenset[str]().union(*(entry.keys for entry in entries.values()))
    for row in catalogue():
        name = f"mechanism {row.key}"
        if row.key not in covered and (every or name in recorded()):
            single = Example(name, "minimal", alone(row))
            entries[single.name] = _entry(single)
    return {**entries, WHOLE.name: _entry(WHOLE)._replace(keys=frozenset())}


@cache
def varied(*, every: bool = False) -> dict[str, Example]:
    """Name -> example that is asked beside one of `examples`: each at other values, and some of long sequences."""
    single = [(name, entry.example) for name, entry in examples(every=every).items() if name != WHOLE.name]
    other = {OTHER.format(name=name): replace(each, other=True) for name, each in single}
    long = {LONG.format(name=name): replace(each, long=True) for name, each in single if name in PARTED}
    return {
        name: replace(each, name=name)
        for name, each in {**other, **long}.items()
        if every or name in recorded()
    }


def _entry(example: Example) -> ExampleEntry:
    config = example.configuration(Path())
    return ExampleEntry(example, frozenset(row.key for row in configured(config.model_dump())), config.id)


def _there() -> dict[str, frozenset[str]]:
    """Name of an example -> its mechanisms, of those that are recorded with the configuration that they have now: a preset
    that somebody edits is another configuration, and no other code."""
    known = recorded()
    return {
        name: entry.keys
        for name, entry in examples().items()
        if name in known and known[name].configuration == entry.configuration
    }


def asked_for(rows: Iterable[Mechanism]) -> list[str]:
    """Names of recorded examples that together have the mechanisms, as far as any has them, with those that vary them, and
    the whole trial; few of them."""
    asked = {row.key for row in rows}
    left, all_there = set(asked), _there()
    there = dict(all_there)
    chosen: list[str] = []
    while there:
        name, keys = max(there.items(), key=lambda entry: (len(entry[1] & left), entry[0]))
        if len(keys & left) < FEW:
            break
        chosen.append(name)
        left -= keys
    for name, keys in there.items():
        if keys & left:
            chosen.append(name)
            left -= keys
    beside = [OTHER.format(name=name) for name in chosen]
    beside += [LONG.format(name=name) for name in PARTED if all_there.get(name, NONE) & asked & ENCODERS]
    whole = [WHOLE.name] * (WHOLE.name in all_there)
    return [*chosen, *(name for name in beside if name in varied()), *whole]


def of_name(name: str, *, every: bool = False) -> Example:
    """One of `examples`, or of those that vary them."""
    return varied(every=every)[name] if name in varied(every=every) else examples(every=every)[name].example


class RecordDamaged(Exception):
    """The record is not there or is none; the message says which file, and why."""


@cache
def recorded() -> dict[str, ExampleRecord]:
    """Name of an example -> what it computed. Raises RecordDamaged."""
    try:
        return _entries(json.loads(FILE.read_bytes()))
    except FileNotFoundError:
        raise RecordDamaged(f"{PLACE} is not there") from None
    except (OSError, ValueError) as error:
        raise RecordDamaged(f"{PLACE} is no record of examples: {error}") from None


def _entries(stored: Any) -> dict[str, ExampleRecord]:
    """What a file holds, checked: a configuration, and three finite numbers per value, of each example."""
    if not isinstance(stored, dict) or not stored:
        raise ValueError("expected values per example")
    return {name: _read(name, made) for name, made in stored.items()}


def _read(name: str, made: Any) -> ExampleRecord:
    if not isinstance(made, dict) or not isinstance(made.get(CONFIGURATION), str) or len(made) < 2:
        raise ValueError(f"expected a configuration and values of {name!r}")
    values = {what: value for what, value in made.items() if what != CONFIGURATION}
    for what, value in values.items():
        if not (isinstance(value, list) and len(value) == 3 and all(map(_finite, value))):
            raise ValueError(f"{what!r} of {name!r} is not three numbers")
    return ExampleRecord(made[CONFIGURATION], {what: tuple(value) for what, value in values.items()})


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def without_example(rows: Iterable[Mechanism]) -> list[str]:
    """What should be in a recorded example and is in none: a whole trial, and mechanisms among the rows that are the
    project's own."""
    there = _there()
    covered = frozenset[str]().union(*there.values())
    keys = [row.key for row in rows if not row.brought]
    return [WHOLE.name] * (WHOLE.name not in there) + [key for key in keys if key not in covered]


def computed(names: Iterable[str]) -> Iterator[tuple[str, ExampleRecord]]:
    """What examples compute now, one after the other."""
    with tempfile.TemporaryDirectory(prefix="prism-examples-") as folder:
        place = ExamplePlace(Path(folder))
        for name in names:
            example = of_name(name, every=True)
            yield name, ExampleRecord(example.configuration(Path()).id, place.computed(example))


def written(made: Mapping[str, ExampleRecord]) -> str:
    """The file's text, a line per number, so that a change shows where it is."""
    blocks = []
    for name, each in made.items():
        values = {CONFIGURATION: each.configuration, **each.values}
        lines = [f"{json.dumps(what)}: {json.dumps(value)}" for what, value in values.items()]
        blocks.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"
