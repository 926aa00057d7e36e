"""What `python -m harness.runs` says of a screen whose sweep has promoted nothing yet."""

import json
from pathlib import Path

from analysis.fidelity.record import FILE, FidelityRecord
from tests.harness.test_runs import planned, run, said
from tests.recorded.copies import COPIES

__all__ = ["run"]


def test_list_has_the_screen_of_what_is_no_run_yet(run: Path) -> None:
    """A sweep that was killed while it screened, or before it promoted, has a run for its screen alone."""
    copies = [COPIES[0], COPIES[1]]
    screen = planned(run.parent / "screened" / "screen", copies)
    record = FidelityRecord("cached", "k", (), (), promotes=1)
    (screen / FILE).write_text(json.dumps(record.content()))
    for beside, status in ((False, "interrupted"), (True, "finished")):
        if beside:
            promoted = FidelityRecord("promoted", "", (), (), promoted=1, of=2)
            (screen.parent / FILE).write_text(json.dumps(promoted.content()))
        (row,) = [line.split() for line in said("list", run.parent).splitlines() if "screened" in line]
        assert row[:2] == ["screened/screen", status]
    assert "interrupted" not in said("show", screen)
    planned(run.parent / "screened", copies[:1])
    (row,) = [line.split() for line in said("list", run.parent).splitlines() if "screened" in line]
    assert row[0] == "screened"
