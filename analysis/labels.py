"""Short names of configurations: the keys in which those of a run differ."""

from collections.abc import Mapping
from typing import Any

_GENERIC = ("weight", "form", "mode", "kind", "source")


def labels(changes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Configuration -> `energy=gated, temperature=learned, contrastive=0.13`, by the paths that vary.

    A path is shortened to the fewest trailing parts that no other path shares, words before numbers. A
    configuration that changes nothing is `base`; where all changes are the same in every configuration they
    are all named, so that a run of one configuration is not nameless.
    """
    paths = sorted({path for change in changes.values() for path in change})
    missing = object()
    varying = [p for p in paths if len({_text(c.get(p, missing)) for c in changes.values()}) > 1]
    shown = varying or paths
    short = {path: _shortest(path, paths) for path in shown}
    named = {}
    for config, change in changes.items():
        present = [path for path in shown if path in change]
        present.sort(key=lambda path: _is_number(change[path]))
        named[config] = ", ".join(f"{short[path]}={_text(change[path])}" for path in present) or "base"
    return named


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


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)
