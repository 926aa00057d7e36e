"""What a person may have meant by a path that is not there."""

import contextlib
import difflib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from analysis.errors import UserError

SHOWN = 4
"""Names that are listed of a folder."""


def nearest_path(
    path: Path, wanted: Callable[[Path], bool] = Path.exists, *, also: Iterable[Path] = ()
) -> str:
    """`; did you mean 'x'?` for the closest path that is there and is `wanted`, or an empty string where none is close.

    Each folder of the path that is not there is compared with what lies in its place. `also`: files that lie elsewhere
    and that are known by their names.
    """
    there = Path(path.anchor)
    parts = path.parts[1:] if path.anchor else path.parts
    for number, part in enumerate(parts, start=1):
        last = number == len(parts)
        names = _names(there, wanted if last else Path.is_dir)
        if not last and (there / part).is_dir():
            there /= part
        elif close := _closest(part, names):
            there /= close
        elif last and names and there != path.parent:
            more = ", ..." if len(names) > SHOWN else ""
            return f"; did you mean '{there}' (it has {', '.join(names[:SHOWN])}{more})?"
        else:
            break
    else:
        return f"; did you mean '{there}'?"
    elsewhere = {file.name: file for file in also}
    close = _closest(path.name, elsewhere)
    return f"; did you mean '{_short(elsewhere[close])}'?" if close else ""


def _names(folder: Path, wanted: Callable[[Path], bool]) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(name for name in os.listdir(folder) if name[0] != "." and _fits(folder / name, wanted))
    return []


def _fits(path: Path, wanted: Callable[[Path], bool]) -> bool:
    """False too for what this user may not look into."""
    with contextlib.suppress(OSError, UserError):
        return wanted(path)
    return False


def _closest(word: str, names: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(word, list(names), n=1, cutoff=0.5)), "")


def _short(path: Path) -> Path:
    """Relative to the working folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
