"""What is replayed: eight resolved configurations of the sweep, every preset of a tree, and what no preset has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.replay import names
from tests.replay.renames import Renames, ReplayError, read_yaml, renamed, unmet

HERE = Path(__file__).parent
FOLDER = HERE / "configurations"
SETTINGS = HERE / "settings.yaml"


@dataclass(frozen=True)
class Replayed:
    """One configuration of a tree: a file's content or a preset's name, and the settings that make it short."""

    name: str
    source: dict[str, Any] | str
    sets: dict[str, Any]


def replayed(tree: Path, renames: Renames) -> list[Replayed]:
    """All of them in the names of the tree.

    Raises ReplayError for renames of keys or values that act on nothing here, and for settings of a preset that is not
    there.
    """
    settings = read_yaml(SETTINGS)
    presets = sorted(path.stem for path in (tree / names.PRESETS).glob("*.yaml"))
    for name in settings["presets"]:
        if name not in presets:
            raise ReplayError(f"{SETTINGS.name}: {tree} has no preset '{name}'; it has {', '.join(presets)}")
    keys: set[str] = set()
    values: set[str] = set()
    every = []
    for path in sorted(FOLDER.glob("*.yaml")):
        content = leaves(read_yaml(path))
        translated = translate({**content, **settings["common"]}, renames, keys, values)
        every.append(Replayed(path.stem, nested(translated), {}))
    for name in presets:
        sets = {**settings["common"], **settings["presets"].get(name, {})}
        sets = {key: value for key, value in sets.items() if value is not None}
        every.append(Replayed(name, name, translate(sets, renames, keys, values)))
    problems = unmet("keys", renames.keys, keys) + unmet("values", renames.values, values)
    if problems:
        raise ReplayError("; ".join(problems))
    return every


def translate(flat: dict[str, Any], renames: Renames, keys: set[str], values: set[str]) -> dict[str, Any]:
    """Dotted keys and values in the names of a tree, without the keys that are gone there."""
    translated = {}
    for key, value in flat.items():
        assignment = f"{key}={value}"
        if assignment in renames.values:
            values.add(assignment)
            value = renames.values[assignment]
        new = renamed(key, renames.keys, keys)
        if new is not None:
            translated[new] = value
    return translated


def leaves(content: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping by dotted key; an empty mapping is a leaf."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= leaves(value, f"{above}{key}.") if isinstance(value, dict) and value else {above + key: value}
    return flat


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """The reverse of `leaves`."""
    content: dict[str, Any] = {}
    for key, value in flat.items():
        *blocks, last = key.split(".")
        inner = content
        for block in blocks:
            inner = inner.setdefault(block, {})
        inner[last] = value
    return content
