"""Short names of configurations: the keys in which those of a run differ, and the beginning of their identities."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

SEVERAL = 2
"""Values of a path that are kept: more tell nothing further of whether it varies."""
_GENERIC = ("weight", "form", "mode", "kind", "source")
KNOWN_BY = 6
"""Leading characters of an identity that stand for it, or more where some begin alike."""


class Labels:
    """Names configurations as they come: what one costs does not grow with how many there are.

    A name is `energy=gated, temperature=learned, contrastive=0.13`, by the paths that vary so far. A path is shortened
    to the fewest trailing parts that no other path shares; words come before numbers, and these before what is 0. A
    configuration that changes nothing is `base`; where all changes are the same in every configuration they are all named,
    so that a run of one configuration is not nameless.
    """

    def __init__(self) -> None:
        self._changes: dict[str, Mapping[str, Any]] = {}
        self._values: dict[str, set[str]] = {}
        self._present: Counter[str] = Counter()
        self._short: dict[str, str] = {}

    def add(self, config: str, changes: Mapping[str, Any]) -> None:
        """Take another configuration; one that is known already is left as it is."""
        if config in self._changes:
            return
        self._changes[config] = changes
        self._present.update(changes.keys())
        for path, value in changes.items():
            if path not in self._values:
                self._values[path] = set()
                self._short.clear()
            if len(self._values[path]) < SEVERAL:
                self._values[path].add(_text(value))

    def name(self, config: str) -> str:
        """The name of a configuration beside all that were added so far."""
        change, varying = self._changes[config], any(map(self._varies, self._values))
        present = [path for path in sorted(change) if self._varies(path) or not varying]
        present.sort(key=lambda path: _place(change[path]))
        return ", ".join(f"{self._shortened(path)}={_text(change[path])}" for path in present) or "base"

    def _varies(self, path: str) -> bool:
        return len(self._values[path]) > 1 or self._present[path] < len(self._changes)

    def _shortened(self, path: str) -> str:
        if path not in self._short:
            self._short[path] = _shortest(path, sorted(self._values))
        return self._short[path]


def labels(changes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Configuration -> its name beside the others; see `Labels`."""
    named = Labels()
    for config, change in changes.items():
        named.add(config, change)
    return {config: named.name(config) for config in changes}


def short_ids(configs: Iterable[str]) -> dict[str, str]:
    """Identity -> its first characters, equally many of each and enough to tell it from the others: what commands take."""
    every = list(dict.fromkeys(configs))
    length = KNOWN_BY
    while len({config[:length] for config in every}) < len(every):
        length += 1
    return {config: config[:length] for config in every}


def first_settings(name: str, most: int = 60) -> str:
    """A name of at most so many characters, or its first settings that fit."""
    if len(name) <= most:
        return name
    parts = name.split(", ")
    kept = parts[:1]
    while len(", ".join([*kept, parts[len(kept)]])) <= most:
        kept.append(parts[len(kept)])
    return f"{', '.join(kept)}, …"


def settings_text(text: str) -> dict[str, str]:
    """`energy=gated, ranking=1` as settings; empty for a text that has another form, or that sets something twice."""
    parts = [part.partition("=") for part in re.split(r",\s*(?=[\w.]+\s*=)", text)]
    settings = {path.strip(): value.strip() for path, _, value in parts}
    return settings if all(each[1] for each in parts) and len(settings) == len(parts) else {}


def stands_for(settings: Mapping[str, str], change: Mapping[str, Any]) -> bool:
    """Whether a configuration that changes these paths has all settings, each by its whole path or the end of it."""
    return all(
        any(_ends(path, name) and value in (_text(each), str(each)) for path, each in change.items())
        for name, value in settings.items()
    )


def _ends(path: str, name: str) -> bool:
    """Whether `name` is the path or the end of it, with or without a last part that says nothing."""
    block, _, last = path.rpartition(".")
    return f".{path}".endswith(f".{name}") or (last in _GENERIC and f".{block}".endswith(f".{name}"))


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Dotted path -> its fewest trailing parts that no other of them shares."""
    every = sorted(paths)
    return {path: _shortest(path, every) for path in every}


def _shortest(path: str, paths: list[str]) -> str:
    parts = path.split(".")
    # "weight" alone says nothing, and beside the name of its block it says nothing more.
    if len(parts) > 1 and parts[-1] in _GENERIC:
        block = parts[-2]
        if sum(block in other.split(".") for other in paths) == 1:
            return block
        first = 2
    else:
        first = 1
    for count in range(first, len(parts) + 1):
        tail = parts[-count:]
        if sum(other.split(".")[-count:] == tail for other in paths) <= 1:
            return ".".join(tail)
    return path


def _place(value: Any) -> int:
    """Words first, then numbers, and last what is 0: it is off in most settings."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(number) + int(number and value == 0)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)
