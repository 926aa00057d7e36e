"""The table of blows for a person, and its lines of JSON."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.chaos.round import Struck


def note(file: Path, struck: Struck) -> None:
    """Add one blow to the report on disk."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(struck.record()) + "\n")


def line(number: int, kills: int, struck: Struck) -> str:
    """What a blow came to, while the others are still to come."""
    end = "bit-equal" if struck.equal else "NOT bit-equal"
    how = f"resumed in {struck.resumed_s:.1f} s" if struck.resumes else "mended itself"
    verdict = "" if struck.passed else f"  WRONG: {'; '.join(struck.wrong)[:400]}"
    return (
        f"[{number}/{kills}] {struck.did}, {struck.moment:.1f} s after {struck.since}: status {struck.status}, "
        f"{struck.lost} epoch{'' if struck.lost == 1 else 's'} again, {how}, {end}{verdict}"
    )


def table(blows: Sequence[Struck], console: Console) -> None:
    """Per kind of blow: how many, when, what was trained again, seconds to go on, and whether all ended bit-equal."""
    shown = Table(
        "blow", "times", "moments, s", "epochs again", "resumed in, s", "bit-equal", "wrong", box=None
    )
    for column in shown.columns[1:]:
        column.justify = "right"
    for kind in dict.fromkeys(struck.blow for struck in blows):
        of_kind = [struck for struck in blows if struck.blow == kind]
        moments = [struck.moment for struck in of_kind]
        resumed = [struck.resumed_s for struck in of_kind if struck.resumes]
        shown.add_row(
            kind,
            str(len(of_kind)),
            _range(moments),
            f"{sum(struck.lost for struck in of_kind)} of {sum(struck.units for struck in of_kind)} units",
            _range(resumed) if resumed else "mended itself",
            "yes" if all(struck.equal for struck in of_kind) else "NO",
            str(sum(not struck.passed for struck in of_kind)),
        )
    console.print(shown)


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.1f}" if len(values) == 1 else f"{low:.1f} to {high:.1f}"
