"""Mechanisms that are no choice of a registry: declared beside the code that does them, collected by importing it."""

from dataclasses import dataclass, field
from typing import Any

from models.registry import INPUTS, PLACES, Settings

POSITIVE = "> 0"
"""A setting that holds where the value is a number above 0 (a weight, a share, a count of layers)."""
GIVEN = "is set"
"""A setting that holds where the value is neither null nor an empty table."""


@dataclass(frozen=True)
class Declared:
    """One mechanism: `id` (M01..), `key` (unique within its `kind`), and the texts of a registry's row.

    when: dotted path -> value (or POSITIVE, GIVEN) of the settings that together switch it on. acts, reads: where it acts
    and what it reads (words of `models.registry.PLACES` and `INPUTS`). group: parameter groups
    that it may train, empty for none. cls: its module, where it is one. off: dotted path -> value of the settings that
    leave it out while everything else stays, for what is no module. A configuration without it has the settings
    `without`, or those of `off`; `kept` says why there is none without it.
    """

    id: str
    key: str
    kind: str
    name: str
    when: Settings
    equation: str
    shapes: str
    source: str
    acts: frozenset[str]
    reads: frozenset[str]
    group: str = ""
    cls: type | None = None
    off: Settings = field(default_factory=dict)
    without: Settings = field(default_factory=dict)
    kept: str = ""


DECLARED: list[Declared] = []
"""All of them, in the order of import."""


def declare(id: str, key: str, **fields: Any) -> None:
    """Enter a mechanism; `fields` are the other fields of `Declared`.

    Raises
    ------
    ValueError
        for a text that is empty, settings that are missing, a key that its kind has already, or nothing on what a
        configuration is without it.
    """
    if missing := [name for name in ("acts", "reads") if name not in fields]:
        raise ValueError(f"mechanism '{key}' is declared without {', '.join(missing)}")
    mechanism = Declared(id, key, **fields)
    texts = ("id", "key", "kind", "name", "when", "equation", "shapes", "source")
    empty = [name for name in texts if not getattr(mechanism, name)]
    if empty:
        raise ValueError(f"mechanism '{key}' is declared without {', '.join(empty)}")
    unknown = sorted((mechanism.acts - set(PLACES)) | (mechanism.reads - set(INPUTS)))
    if unknown or not mechanism.acts:
        word = f"'{unknown[0]}'" if unknown else "nothing"
        raise ValueError(
            f"mechanism '{key}' declares {word}: it may act in {', '.join(PLACES)} and read {', '.join(INPUTS)}"
        )
    if any((other.kind, other.key) == (mechanism.kind, key) for other in DECLARED):
        raise ValueError(f"{mechanism.kind} '{key}' is declared twice")
    if bool(mechanism.without or mechanism.off) == bool(mechanism.kept):
        raise ValueError(
            f"mechanism '{key}' does not declare what a configuration is without it: expected settings (without), or why "
            "there is none (kept)"
        )
    DECLARED.append(mechanism)
