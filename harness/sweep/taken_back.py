"""Units that an earlier start put aside and that are of this start's own stamp: found, said, and moved back."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.stamps import EARLIER
from harness.design.plan import Unit
from harness.stamp.stamp import Stamp
from harness.sweep.aside import ENDED, Row, move_back


@dataclass(frozen=True)
class Back:
    """`units` that are in `folder` (name below RUN/earlier), with what the store there says of each."""

    folder: str
    units: Mapping[Unit, Row]

    @property
    def sentence(self) -> str:
        one = len(self.units) == 1
        return (
            f"{len(self.units)} finished unit{' is' if one else 's are'} in {EARLIER}/{self.folder} as this start "
            f"would make {'it' if one else 'them'}: moved back from there, not run anew"
        )


def earlier_folders(run: Path) -> list[Path]:
    """Runs below RUN/earlier, by name."""
    folder = run / EARLIER
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(each for each in found if each.is_dir() and not each.name.startswith("."))


def to_take_back(
    run: Path, wanted: Collection[Unit], stamp: Stamp, stored: Mapping[str, Mapping[Unit, Row]]
) -> list[Back]:
    """Those of the `wanted` units that ended under this very stamp and were put aside; each from one folder.

    `stored`: name of a folder below RUN/earlier -> its units.
    """
    left = set(wanted)
    found = []
    for folder, units in stored.items():
        own = {
            unit: row
            for unit, row in units.items()
            if unit in left and row.status in ENDED and not stamp.differences(row.stamp, run)
        }
        if own:
            found.append(Back(folder, own))
            left -= own.keys()
    return found


def take_back(run: Path, back: Iterable[Back]) -> None:
    """Move the units back, which nothing of the same name may stand in the way of. A kill at any instant loses nothing:
    `complete_moves` completes it."""
    move_back(run, {each.folder: [unit.name for unit in each.units] for each in back})
