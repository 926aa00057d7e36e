"""YAML that no sweep needs and that would end its reader: endless numbers, endless depth, aliases of aliases."""

import re
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    ScalarEvent,
)

from analysis.errors import UserError

DEEPEST = 50
"""Blocks and lists inside each other."""
LONGEST = 100
"""Characters of a number."""
MOST = 100_000
"""Values of a file, those that aliases repeat counted each time."""
_NUMBER = re.compile(r"[-+]?0[xob][0-9a-fA-F_]+|[-+][0-9_]+|[0-9][0-9_]*", re.ASCII)


def check_limits(text: str, file: Path) -> None:
    """Read through `text` without building anything.

    Raises
    ------
    UserError
        naming the file and line of the first value that is too much.
    MarkedYAMLError
        for what is not YAML, as reading it would.
    """
    open_values: list[tuple[str | None, int]] = []
    sizes: dict[str, int] = {}
    total = 0
    for event in YAML(typ="rt", pure=True).parse(StringIO(text)):
        size = 0
        if isinstance(event, AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_values):
                raise _too_much(file, event, f"the value '&{event.anchor}' contains itself")
            size = sizes.get(event.anchor, 1)
        elif isinstance(event, ScalarEvent):
            size = 1
            if event.anchor:
                sizes[event.anchor] = 1
            if len(event.value) > LONGEST and event.style in (None, "") and _NUMBER.fullmatch(event.value):
                raise _too_much(
                    file,
                    event,
                    f"a number of {len(event.value)} characters, expected at most {LONGEST}",
                )
        elif isinstance(event, CollectionStartEvent):
            open_values.append((event.anchor, total))
            size = 1
            if len(open_values) > DEEPEST:
                raise _too_much(file, event, f"more than {DEEPEST} blocks or lists inside each other")
        elif isinstance(event, CollectionEndEvent):
            anchor, before = open_values.pop()
            if anchor:
                sizes[anchor] = total - before
        total += size
        if total > MOST:
            raise _too_much(
                file, event, f"more than {MOST} values, those that aliases (*name) repeat included"
            )


def _too_much(file: Path, event: Event, sentence: str) -> UserError:
    return UserError(f"{file}:{event.start_mark.line + 1}: {sentence}")
