"""Units that an earlier start put aside and that are of this start's own stamp: found, said, and moved back."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.stamps import EARLIER
from harness.design.plan import Unit
from harness.stamp.stamp import Stamp
from harness.sweep.run.aside import StampedRow, move_back
from harness.sweep.run.statuses import ENDED


@dataclass(frozen=True)
class Back:
    """`units` that are in `folder` (name below RUN/earlier), with what the store there says of each."""

    folder: str
    units: Mapping[Unit, StampedRow]

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
    entries = folder.iterdir() if folder.is_dir() else ()
    return sorted(entry for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def to_take_back(
    run: Path, wanted: Collection[Unit], stamp: Stamp, stored: Mapping[str, Mapping[Unit, StampedRow]]
) -> list[Back]:
    """Those of the `wanted` units that ended under this very stamp and were put aside; each from one folder.

    `stored`: name of a folder below RUN/earlier -> its units.
    """
    left = set(wanted)
    back = []
    for folder, units in stored.items():
        ended = {
            unit: row
            for unit, row in units.items()
            if unit in left and row.status in ENDED and not stamp.differences(row.stamp, run)
        }
        if ended:
            back.append(Back(folder, ended))
            left -= ended.keys()
    return back


def take_back(run: Path, back: Iterable[Back]) -> None:
    """Move the units back into the run. A kill at any instant loses nothing: `complete_moves` completes it."""
    move_back(run, {group.folder: [unit.name for unit in group.units] for group in back})
