"""What a person sees of a running sweep: the board's counts and estimates, plain lines, and the live table."""

import io
import math
from typing import Any

import pytest
from rich.console import Console

from harness.sweep.show.board import Board, BoardRow, duration
from harness.sweep.show.display import Display


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _report(config: str, epoch: int, objective: float, **given: Any) -> dict[str, Any]:
    report = {
        "configuration": config,
        "epoch": epoch,
        "objective": objective,
        "status": "running",
        "reason": "",
        "metrics": {"train_aupr": 0.9},
        "warned": [],
        "seconds": 10.0,
        "diverged": 0,
    }
    return {**report, **given}


def _board(total: int = 3, *, larger: bool = True) -> tuple[Board, Clock]:
    clock = Clock()
    board = Board(total=total, larger_is_better=larger, clock=clock)
    for config, value in (("aaa", 0.1), ("bbb", 0.2)):
        board.enter(BoardRow(config, {"optimiser.lr": value}, epochs=4, unit_runs=2))
    return board, clock


def _shown(board: Board, *, terminal: bool) -> tuple[Display, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, color_system=None)
    return Display(console, board, "val_unseen/pooled/aupr"), stream


def test_best_is_by_direction_and_neither_failed_nor_diverged() -> None:
    for larger, expected in ((True, "bbb"), (False, "aaa")):
        board, _ = _board(larger=larger)
        assert board.best() is None
        board.update(_report("aaa", 1, 0.4))
        board.update(_report("bbb", 1, 0.6))
        assert board.best() is board.rows[expected]
        board.update(_report(expected, 2, 0.7 if larger else 0.1, status="diverged", reason="NaN"))
        assert board.best() is not board.rows[expected]
    board, _ = _board()
    board.update(_report("aaa", 0, math.nan, status="failed"))
    assert board.best() is None
    assert board.ended == 1


def test_time_left_counts_waiting_ones_and_busy_workers() -> None:
    board, clock = _board(total=3)
    assert board.time_left() is None
    clock.now = 10.0
    board.update(_report("aaa", 1, 0.5))
    board.update(_report("bbb", 1, 0.5))
    # 3 + 3 epochs of the two at work and 4 of the one to come, 10 s each, by two workers
    assert board.time_left() == pytest.approx(50.0)
    board.update(_report("aaa", 1, 0.5, status="done", seconds=0.0))
    assert board.time_left() == pytest.approx(35.0)


def test_epoch_reported_twice_is_no_work_done() -> None:
    board, clock = _board()
    clock.now = 10.0
    board.update(_report("aaa", 1, 0.5))
    before = board.time_left()
    board.update(_report("aaa", 1, 0.5))
    assert board.time_left() == before


def test_log_says_each_new_best_and_each_end_once() -> None:
    board, _ = _board(total=2)
    display, stream = _shown(board, terminal=False)
    display.aside("computing baselines as well")
    display.aside("computing baselines as well")
    for report in (
        _report("aaa", 1, 0.5),
        _report("bbb", 1, 0.6),
        _report("bbb", 2, 0.7),
        _report("bbb", 4, 0.7, status="done", warned=["mode_collapse"]),
        _report("aaa", 2, 0.5, status="failed", reason="cell line A549 [brackets] has 3 pairs"),
    ):
        row = board.update(report)
        display.epoch(row)
        if row.ended:
            display.ended(row)
    with display.showing():
        display.aside("baselines done after 4 s")
    lines = stream.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["computing", "best", "best", "done", "failed", "baselines"]
    assert "0.6000 at epoch 1" in lines[2]
    assert "lr=0.2" in lines[2]
    assert "warnings: mode_collapse" in lines[3]
    assert "[1/2" in lines[3]
    assert "cell line A549 [brackets] has 3 pairs" in lines[4]
    assert "[2/2]" in lines[4]
    assert "\x1b" not in stream.getvalue()


def test_live_table_prints_only_what_must_not_be_missed() -> None:
    board, _ = _board(total=2)
    display, stream = _shown(board, terminal=True)
    display.aside("computing baselines as well")
    for report in (
        _report("aaa", 4, 0.5, status="done", warned=["overfit_train", "mode_collapse"]),
        _report("bbb", 1, math.nan, status="diverged", reason="epoch 2: loss term task is nan at step 3"),
    ):
        row = board.update(report)
        display.epoch(row)
        display.ended(row)
    printed = stream.getvalue()
    assert "loss term task is nan at step 3" in printed
    assert "aaa" not in printed
    display.console.print(display.render())
    table = stream.getvalue()[len(printed) :]
    assert "2/2 configurations" in table
    assert "computing baselines as well" in table
    assert "best 0.5000" in table
    done = next(line for line in table.splitlines() if line.startswith("aaa"))
    assert done.split()[1:6] == ["done", "4/4", "0.5000", "0.9000", "2"]
    assert "lr=0.1" in done
    assert all(len(line) <= 100 for line in table.splitlines())


def test_running_configurations_stay_on_the_screen() -> None:
    board = Board(total=40, larger_is_better=True)
    for number in range(30):
        board.enter(BoardRow(f"c{number:02d}", {"optimiser.lr": number}, epochs=1, unit_runs=1))
        board.update(_report(f"c{number:02d}", 1, number / 100, status="done"))
    board.enter(BoardRow("live", {"optimiser.lr": 99}, epochs=9, unit_runs=1, status="running"))
    display, stream = _shown(board, terminal=True)
    display.console.print(display.render())
    lines = stream.getvalue().splitlines()
    assert lines[2].startswith("live")
    assert lines[3].startswith("c29")
    assert "and 20 more that ended" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7630, "2 h 07 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
