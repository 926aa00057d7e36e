"""Which examples are recorded, and what they computed then."""

import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.audit.example import Example, ExamplePlace
from harness.audit.example_digest import Digests
from harness.config.space.compose import SEARCH_SPACES
from harness.config.sweep.use import place_of_class
from harness.mechanisms.alone import alone
from harness.mechanisms.catalogue import catalogue, configured
from harness.mechanisms.mechanism import Mechanism

FILE = Path(__file__).with_name("examples.json")
PLACE = "harness/audit/examples.json"
WHOLE = Example("a whole trial", "rp24", whole=True)
"""Every trial is held against this one, whatever it has."""
FEW = 3
"""Mechanisms that a preset has to add before its example is asked in place of those of single mechanisms."""


@cache
def examples(*, every: bool = False) -> dict[str, tuple[Example, frozenset[str]]]:
    """Name -> example and keys of the mechanisms that it has: of every preset, and by itself of every mechanism that no
    preset has and that is recorded (`every`: recorded or not), which what a person brings is not."""
    made = [
        Example(f"preset {file.stem}", file.stem)
        for file in sorted((SEARCH_SPACES / "presets").glob("*.yaml"))
    ]
    entries = {each.name: (each, _keys(each)) for each in made}
    covered = frozenset[str]().union(*(keys for _, keys in entries.values()))
    for row in catalogue():
        name = f"mechanism {row.key}"
        if row.key not in covered and (every or name in recorded()):
            single = Example(name, "minimal", alone(row))
            entries[single.name] = single, _keys(single)
    return {**entries, WHOLE.name: (WHOLE, frozenset())}


def _keys(example: Example) -> frozenset[str]:
    settings = example.rehearsal(Path()).configuration().model_dump()
    return frozenset(row.key for row in configured(settings))


def asked_for(rows: Iterable[Mechanism]) -> list[str]:
    """Names of recorded examples that together have the mechanisms, as far as any has them, and the whole
    trial; few of them."""
    left, there = (
        {row.key for row in rows},
        {name: keys for name, (_, keys) in examples().items() if name in recorded()},
    )
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
    return chosen + [WHOLE.name] * (WHOLE.name in there)


class RecordDamaged(Exception):
    """The record is not there or is none; the message says which file, and why."""


@cache
def recorded() -> dict[str, Digests]:
    """Name of an example -> what it computed. Raises RecordDamaged."""
    try:
        return _entries(json.loads(FILE.read_bytes()))
    except FileNotFoundError:
        raise RecordDamaged(f"{PLACE} is not there") from None
    except (OSError, ValueError) as error:
        raise RecordDamaged(f"{PLACE} is no record of examples: {error}") from None


def _entries(stored: Any) -> dict[str, Digests]:
    """What a file holds, checked: three finite numbers per value of each example."""
    if (
        not isinstance(stored, dict)
        or not stored
        or not all(isinstance(made, dict) and made for made in stored.values())
    ):
        raise ValueError("expected values per example")
    for name, made in stored.items():
        for what, values in made.items():
            if not (isinstance(values, list) and len(values) == 3 and all(map(_finite, values))):
                raise ValueError(f"{what!r} of {name!r} is not three numbers")
    return {name: {what: tuple(values) for what, values in made.items()} for name, made in stored.items()}


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def without_example(rows: Iterable[Mechanism]) -> list[str]:
    """What should be in a recorded example and is in none: a whole trial, and mechanisms among the rows that are the
    project's own."""
    there = {name: keys for name, (_, keys) in examples().items() if name in recorded()}
    covered = frozenset[str]().union(*there.values())
    own = [row.key for row in rows if row.cls is None or not place_of_class(row.cls)]
    return [WHOLE.name] * (WHOLE.name not in there) + [key for key in own if key not in covered]


def computed(names: Iterable[str]) -> Iterator[tuple[str, Digests]]:
    """What examples compute now, one after the other."""
    with tempfile.TemporaryDirectory(prefix="prism-examples-") as folder:
        place = ExamplePlace(Path(folder))
        for name in names:
            yield name, place.computed(examples(every=True)[name][0])


def written(made: Mapping[str, Digests]) -> str:
    """The file's text, a line per number, so that a change shows where it is."""
    blocks = []
    for name, digests in made.items():
        lines = [f"{json.dumps(what)}: {json.dumps(values)}" for what, values in digests.items()]
        blocks.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"
