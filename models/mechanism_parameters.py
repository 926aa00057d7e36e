"""Which mechanism each parameter is of."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import nn

from models.declared import DECLARED, GIVEN, POSITIVE, Declared
from models.losses.term import value_at
from models.registry import CHOICES, Registry

WHOLE = ("kind", "form", "mode")
"""Last words of the paths of choices whose block has the chosen mechanism's keys and nothing else."""


class Owner(NamedTuple):
    """A mechanism: `id` (M01..), its `key` in the catalogue, and the settings that are its: dotted paths, and `BLOCK.*` for
    all keys of a block."""

    id: str
    key: str
    keys: tuple[str, ...]


def owners(root: nn.Module, groups: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Owner]:
    """Parameter below `root` by qualified name -> the innermost mechanism around it that trains its group (`groups`: by
    name); without those that no mechanism is around."""
    placed = {
        name: [*_chosen(type(module), settings), *_declared(module, settings)]
        for name, module in root.named_modules()
    }
    owned: dict[str, Owner] = {}
    for name, group in groups.items():
        around = (place for place in placed if place == "" or name.startswith(f"{place}."))
        fits = [owner for place in around for trained, owner in placed[place] if group in trained]
        # Modules are named from the outside in.
        owned |= {name: fits[-1]} if fits else {}
    return owned


def of_choice(registry: Registry[Any], key: str) -> Owner:
    """The mechanism that a registry's row is."""
    row, (block, _, last) = registry.row(key), registry.path.rpartition(".")
    keys = (registry.path, f"{block}.*") if last in WHOLE else (registry.path,)
    return Owner(row.id, row.mechanism, keys)


def of_declared(key: str) -> Owner:
    """The declared mechanism with this key, with the settings that are an amount of it, or else all that it names."""
    return _owner(next(row for row in DECLARED if row.key == key))


def _chosen(cls: type, settings: Mapping[str, Any]) -> Iterator[tuple[str, Owner]]:
    """(groups that it trains, mechanism) of each registry's choice in the settings that is this very class."""
    for registry in CHOICES.values():
        key = registry.chosen(settings)
        if key in registry and registry.row(key).cls is cls:
            yield registry.group, of_choice(registry, key)


def _declared(module: nn.Module, settings: Mapping[str, Any]) -> Iterator[tuple[str, Owner]]:
    """The same of what is declared with a class that the module is of, where the settings have what it names."""
    for row in DECLARED:
        named = {path: value for path, value in row.when.items() if path not in _amounts(row)}
        if row.cls is None or not isinstance(module, row.cls):
            continue
        if all(value_at(settings, path) == value for path, value in named.items()):
            yield row.group, _owner(row)


def _owner(row: Declared) -> Owner:
    return Owner(row.id, row.key, _amounts(row) or tuple(row.when))


def _amounts(row: Declared) -> tuple[str, ...]:
    return tuple(path for path, value in row.when.items() if value in (POSITIVE, GIVEN))
