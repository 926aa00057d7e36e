"""Which examples are recorded, and what they computed then."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from harness.audit.example import Example, ExamplePlace
from harness.audit.example_digest import Digests
from harness.config.space.compose import SEARCH_SPACES
from harness.mechanisms.alone import alone
from harness.mechanisms.catalogue import catalogue, configured
from harness.mechanisms.mechanism import Mechanism

FILE = Path(__file__).with_name("examples.json")
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


@cache
def recorded() -> dict[str, Digests]:
    """Name of an example -> what it computed; empty where there is no file yet."""
    if not FILE.exists():
        return {}
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    return {name: {what: tuple(d) for what, d in made.items()} for name, made in stored.items()}


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
