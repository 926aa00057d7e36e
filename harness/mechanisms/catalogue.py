"""The one table of mechanisms, and which of them a configuration has."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from harness.mechanisms.mechanism import Mechanism
from harness.mechanisms.registered import declared, registered


@cache
def catalogue() -> tuple[Mechanism, ...]:
    """Every mechanism, ordered by id."""
    return tuple(sorted((*registered(), *declared()), key=lambda row: row.id))


def configured(settings: Mapping[str, Any]) -> list[Mechanism]:
    """The mechanisms that plain settings (`ConfigurationBlock.model_dump()`) configure, ordered by id."""
    return [row for row in catalogue() if row.configured(settings)]
