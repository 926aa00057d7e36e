"""The committed table of renames: how names of the first recorded revision read in a tree."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FILE = "tests/replay/renames.yaml"
"""Where a tree has its table."""


class ReplayError(Exception):
    """A mistake of whoever asks for a recording or a comparison, in one sentence."""


def read_yaml(path: Path) -> Any:
    """Content of a YAML file as plain data."""
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Renames:
    """Old names -> new ones by kind, and what has no counterpart (`gone`, `added`: name -> reason)."""

    commands: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str | None] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    tensors: dict[str, str] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, tree: Path) -> "Renames":
        """The table of a tree; without entries where it has none. Raises ReplayError for what is no table."""
        path = tree / FILE
        return cls.of(read_yaml(path) or {}) if path.is_file() else cls()

    @classmethod
    def of(cls, content: dict[str, Any]) -> "Renames":
        """The table with this content. Raises ReplayError for an unknown kind, or two names that become one."""
        kinds = [each.name for each in fields(cls)]
        for kind, entries in content.items():
            if kind not in kinds:
                raise ReplayError(f"renames: there is no kind '{kind}'; expected {', '.join(kinds)}")
            if not isinstance(entries, dict):
                raise ReplayError(f"renames: {kind} is no mapping of names")
        table = cls(**content)
        for kind in ("tables", "words", "tensors"):
            news = list(getattr(table, kind).values())
            for new in news:
                if news.count(new) > 1:
                    raise ReplayError(f"renames: {kind} calls two things '{new}'")
        return table


def renamed(name: str, entries: dict[str, Any], met: set[str]) -> Any:
    """The name under the longest entry that is the name or stands above it; `met` collects the entries that act."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        above = ".".join(parts[:end])
        if above in entries:
            met.add(above)
            new = entries[above]
            return new if new is None else ".".join([new, *parts[end:]])
    return name


def unmet(kind: str, entries: Iterable[str], met: set[str]) -> list[str]:
    """A sentence for each entry that acted on nothing."""
    return [f"renames: {kind}: '{name}' matches nothing" for name in entries if name not in met]
