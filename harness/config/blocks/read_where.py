"""Marks of a key that acts only beside others, which say beside which."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

POSITIVE = "> 0"
"""Stands for any number above 0."""
Wanted = Sequence[str] | str
"""Values one of which a path has to have, or POSITIVE, or `not NAME`."""


@dataclass(frozen=True)
class ReadWhere:
    """Marks a field that is read only where one of the paths has what is wanted of it:
    `inducing: Annotated[int, ReadWhere({"environment.encoder": ["isab"]})] = 32`. Of several marks all must hold."""

    wanted: Mapping[str, Wanted] | Callable[[], Mapping[str, Wanted]]

    def holds(self, settings: Mapping[str, Any]) -> bool:
        """Whether flat settings (dotted path -> value) have it."""
        return any(_has(settings.get(path), wanted) for path, wanted in self._all().items())

    @property
    def paths(self) -> list[str]:
        """The paths that decide."""
        return list(self._all())

    def __str__(self) -> str:
        wanted = self._all()
        several = any(not isinstance(values, str) and len(values) > 1 for values in wanted.values())
        return (", or " if several else " or ").join(_words(path, values) for path, values in wanted.items())

    def _all(self) -> Mapping[str, Wanted]:
        return self.wanted() if callable(self.wanted) else self.wanted


def _has(value: Any, wanted: Wanted) -> bool:
    if wanted == POSITIVE:
        return isinstance(value, int | float) and value > 0
    if isinstance(wanted, str):
        return value is not None and value != wanted.removeprefix("not ")
    return value in wanted


def _words(path: str, wanted: Wanted) -> str:
    if wanted == POSITIVE:
        return f"{path} > 0"
    return f"{path}: {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
