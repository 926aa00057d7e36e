"""What a sweep says at its end, and with which status it ends."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from harness.design.plan import Plan
from harness.sweep.report import conclude
from harness.sweep.start import Start
from harness.sweep.tuning import Outcome
from tests.harness.boards import FOLD, board, row
from tests.recorded.copies import RUN


@pytest.fixture
def start() -> Start:
    """A grid without anything left to run."""
    plan = Plan("small", "grid", "val_unseen/macro/aupr", "0" * 64, 1, (), (0,))
    return Start(plan, {}, 0, False, 1, 1, [], [])


def outcome(
    start: Start, status: str = "done", *, finished: bool = True, without_baselines: bool = False
) -> Outcome:
    shown = board(1)
    shown.enter(row("aaa", {}, 1)).trials[FOLD].status = status
    return Outcome(start.plan, finished, shown, [], without_baselines=without_baselines)


def concluded(run: Path, start: Start, ended: Outcome | None) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    status = conclude(console, run, start, ended)
    assert isinstance(console.file, io.StringIO)
    return status, console.file.getvalue()


@pytest.mark.parametrize("ran", [True, False], ids=["after trials", "nothing to run"])
def test_status_is_1_where_nothing_can_be_ranked(start: Start, tmp_path: Path, ran: bool) -> None:
    run = shutil.copytree(RUN, tmp_path / "run")
    ended = outcome(start) if ran else None
    status, said = concluded(run, start, ended)
    assert (status, "1  " in said) == (0, True)
    shutil.rmtree(run / "units")
    status, said = concluded(run, start, ended)
    assert status == 1
    assert "no finished units" in said
    assert "rank again" in said


def test_status_of_a_ranked_sweep_says_what_is_not_whole(start: Start) -> None:
    assert concluded(RUN, start, outcome(start, "failed"))[0] == 1
    assert concluded(RUN, start, outcome(start, without_baselines=True))[0] == 1
    assert concluded(RUN, start, outcome(start, finished=False))[0] == 3
