"""What a person sees of a running sweep: the board's counts and estimates, plain lines, and the live table."""

import io
import math
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from analysis.reported import AUDIT_STOP
from harness.design.trial import Trial
from harness.sweep.show.board import Board, duration
from harness.sweep.show.callbacks import BoardCallback
from harness.sweep.show.display import Display
from tests.harness.boards import FOLD, board, row
from tests.narrow import present


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _report(config: str, epoch: int, objective: float, **given: Any) -> dict[str, Any]:
    report = {
        "configuration": config,
        "fold": FOLD,
        "epoch": epoch,
        "objective": objective,
        "status": "running",
        "reason": "",
        "metrics": [("train_aupr", 0.9)],
        "warned": [],
        "seconds": 10.0,
        "diverged": 0,
    }
    return {**report, **given}


def _board(total: int = 3, *, larger: bool = True) -> tuple[Board, Clock]:
    clock = Clock()
    shown = board(total, larger=larger, clock=clock)
    for config, value in (("aaa", 0.1), ("bbb", 0.2)):
        shown.enter(row(config, {"optimiser.lr": value}, 4))
    return shown, clock


def _shown(of: Board, *, terminal: bool) -> tuple[Display, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, color_system=None)
    return Display(console, of, "val_unseen/pooled/aupr"), stream


def test_best_is_by_direction_and_neither_failed_nor_diverged() -> None:
    for larger, expected in ((True, "bbb"), (False, "aaa")):
        shown, _ = _board(larger=larger)
        assert shown.best() is None
        shown.update(_report("aaa", 1, 0.4))
        shown.update(_report("bbb", 1, 0.6))
        assert shown.best() is shown.rows[expected]
        shown.update(_report(expected, 2, 0.7 if larger else 0.1, status="diverged", reason="NaN"))
        assert shown.best() is not shown.rows[expected]
    shown, _ = _board()
    shown.update(_report("aaa", 0, math.nan, status="failed"))
    assert shown.best() is None
    assert shown.ended == 1


def test_best_is_better_than_what_an_earlier_start_reached() -> None:
    shown = Board(total=1, larger_is_better=True, folds={FOLD: "fold0"}, before=[0.7, math.nan])
    shown.enter(row("aaa", {}, 2))
    for epoch, objective, beats in ((1, 0.65, False), (2, 0.75, True)):
        shown.update(_report("aaa", epoch, objective))
        assert (shown.best() is not None) == beats


def test_time_left_counts_waiting_ones_and_busy_workers() -> None:
    shown, clock = _board(total=3)
    assert shown.time_left() is None
    clock.now = 10.0
    shown.update(_report("aaa", 1, 0.5))
    shown.update(_report("bbb", 1, 0.5))
    # 3 + 3 epochs of the two at work and 4 of the one to come, 10 s each, by two workers
    assert shown.time_left() == pytest.approx(50.0)
    shown.update(_report("aaa", 1, 0.5, status="done", seconds=0.0))
    assert shown.time_left() == pytest.approx(35.0)


def test_epoch_reported_twice_is_no_work_done() -> None:
    shown, clock = _board()
    clock.now = 10.0
    shown.update(_report("aaa", 1, 0.5))
    before = shown.time_left()
    shown.update(_report("aaa", 1, 0.5))
    assert shown.time_left() == before


def test_log_says_each_new_best_and_each_end_once() -> None:
    shown, _ = _board(total=2)
    display, stream = _shown(shown, terminal=False)
    display.aside("computing baselines as well")
    display.aside("computing baselines as well")
    for report in (
        _report("aaa", 1, 0.5),
        _report("bbb", 1, 0.6),
        _report("bbb", 2, 0.7),
        _report("bbb", 4, 0.7, status="done", warned=["mode_collapse"]),
        _report("aaa", 2, 0.5, status="failed", reason="cell line A549 [brackets] has 3 pairs"),
    ):
        updated = shown.update(report)
        display.epoch(updated)
        if updated.ended:
            display.ended(updated, FOLD)
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
    shown, _ = _board(total=2)
    display, stream = _shown(shown, terminal=True)
    display.aside("computing baselines as well")
    for report in (
        _report("aaa", 4, 0.5, status="done", warned=["overfit_train", "mode_collapse"]),
        _report("bbb", 1, math.nan, status="diverged", reason="epoch 2: loss term task is nan at step 3"),
    ):
        updated = shown.update(report)
        display.epoch(updated)
        display.ended(updated, FOLD)
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


@pytest.mark.parametrize("width", [80, 120])
def test_what_is_said_above_the_table_is_broken_between_words(width: int) -> None:
    shown, _ = _board(total=2)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, color_system=None)
    display = Display(console, shown, "val_unseen/pooled/aupr")
    reason = f"2 of 2 units diverged: epoch 1: loss term {'task of_a_long_name ' * 6}is nan at step 3"
    ended = shown.update(_report("bbb", 1, math.nan, status="diverged", reason=reason))
    display.ended(ended, FOLD)
    display.note(f"the worker of C14: energy=gated, {'contrastive=0.1, ' * 9}died; it was started again")
    lines = stream.getvalue().splitlines()
    assert len(lines) > 3
    assert all(len(line) <= width for line in lines)
    assert " ".join(stream.getvalue().split()).count("task of_a_long_name") == 6, "no word is cut in two"
    assert [line.split()[0] for line in lines if not line.startswith("  ")] == ["diverged", "the"]


def test_a_terminal_says_why_the_audit_stopped() -> None:
    shown, _ = _board(total=2)
    display, stream = _shown(shown, terminal=True)
    for config, reason in (("aaa", "overfit_train holds"), ("bbb", f"{AUDIT_STOP}loss.mine is inert")):
        display.ended(shown.update(_report(config, 1, 0.5, status="stopped", reason=reason)), FOLD)
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("stopped  bbb")
    assert "loss.mine is inert" in line


@pytest.mark.parametrize("width", [80, 120])
def test_arms_are_called_by_their_names(width: int) -> None:
    shown, names = (
        board(3, folds=("f0", "f1")),
        ("base", "without gated, learned", "contrastive on permuted cell"),
    )
    for config, arm in zip(("aaa", "bbb", "ccc"), names, strict=True):
        shown.enter(replace(row(config, {"streams": config}, 100, ("f0", "f1")), arm=arm))
        shown.update(_report(config, 100, 0.5, fold="f0", status="done", warned=["overfit_train"]))
    assert shown.name(Trial("bbb", "f0")) == "fold f0: without gated, learned (bbb)"
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, color_system=None)
    console.print(Display(console, shown, "val_unseen/pooled/aupr").render())
    _, first, second, *lines = stream.getvalue().splitlines()
    assert first.split() == ["pooled", "train"]
    assert second.split() == ["arm", "state", "folds", "epoch", "aupr", "AUPR", "warnings"]
    for line, arm in zip(lines, names, strict=True):
        assert line.startswith(f"{arm} "), "whole"
        assert line.split()[-6:] == ["running", "1/2", "100/200", "0.5000", "0.9000", "1"]
        assert len(line) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_a_row_is_named_by_what_differs_in_two_lines(width: int) -> None:
    shown = board(2)
    keys = (
        "temperature.mode",
        "loss.contrastive.weight",
        "loss.prototypes.weight",
        "optimiser.lr",
        "model.width",
    )
    for config, value in (("4f1c2233aabb", 0.123), ("9e0d2233aabb", 0.456)):
        changes: dict[str, Any] = {"energy.form": f"gated{value}", **dict.fromkeys(keys, value)}
        shown.enter(row(config, changes, 100))
        shown.update(_report(config, 100, 0.5, status="done", warned=["overfit_train"]))
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, color_system=None)
    console.print(Display(console, shown, "val_unseen/pooled/aupr").render())
    headline, *lines = stream.getvalue().splitlines()
    assert "2/2 configurations" in headline
    assert len(lines) <= 2 + 2 * 2, "headings in two lines, each configuration in two at most"
    assert all(len(line) <= width for line in lines)
    for config, form in (("4f1c22", "gated0.123"), ("9e0d22", "gated0.456")):
        first = next(line for line in lines if line.startswith(config))
        assert first.split()[1:6] == ["done", "100/100", "0.5000", "0.9000", "1"]
        assert form in first, "what differs is in sight"


def test_running_configurations_stay_on_the_screen() -> None:
    shown = board(40)
    for number in range(30):
        shown.enter(row(f"c{number:02d}", {"optimiser.lr": number}, 1))
        shown.update(_report(f"c{number:02d}", 1, number / 100, status="done"))
    shown.enter(row("live", {"optimiser.lr": 99}, 9)).trials[FOLD].status = "running"
    display, stream = _shown(shown, terminal=True)
    display.console.print(display.render())
    lines = stream.getvalue().splitlines()
    assert lines[3].startswith("live")
    assert lines[4].startswith("c29")
    assert "and 20 more that ended" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7630, "2 h 07 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_every_fold_that_is_withdrawn_is_said_and_the_end_once() -> None:
    shown = board(1, folds=("f0", "f1", "f2"))
    pruned = shown.enter(row("aaa", {}, 4, ("f0", "f1", "f2")))
    display, stream = _shown(shown, terminal=False)
    for trial in pruned.trials.values():
        trial.status, trial.reason = "pruned", "worse"
    display.ended(pruned, "f1", "f2")
    lines = stream.getvalue().splitlines()
    assert [line.split()[:4] for line in lines[:2]] == [["pruned", "aaa", "on", "fold"]] * 2
    assert len(lines) == 3
    assert lines[2].startswith("pruned   aaa")


def test_folds_count_and_only_whole_configurations_compare() -> None:
    shown = board(2, folds=("f0", "f1"))
    for config, value in (("aaa", 0.1), ("bbb", 0.2)):
        shown.enter(row(config, {"optimiser.lr": value}, 4, ("f0", "f1")))
    display, stream = _shown(shown, terminal=False)

    def told(config: str, epoch: int, objective: float, fold: str, status: str = "running") -> None:
        updated = shown.update(_report(config, epoch, objective, fold=fold, status=status))
        display.epoch(updated)
        if status != "running":
            display.ended(updated, fold)

    told("aaa", 4, 0.9, "f0", "done")
    assert shown.best() is None, "the easier fold alone makes nobody the best"
    told("bbb", 1, 0.6, "f0")
    told("bbb", 1, 0.7, "f1")
    best = present(shown.best())
    assert (best.config, best.status) == ("bbb", "running")
    assert best.objective == pytest.approx(0.65)
    assert (shown.rows["aaa"].epoch, shown.rows["aaa"].epochs, shown.ended) == (4, 8, 0)
    told("aaa", 2, 0.1, "f1", "stopped")
    assert (shown.rows["aaa"].status, shown.ended) == ("stopped", 1)
    lines = stream.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["done", "best", "stopped", "stopped"]
    assert "aaa on fold f0  epoch 4/4  0.9000" in lines[0]
    assert "bbb  0.6500 after 2/8 epochs of 2 folds" in lines[1]
    assert "aaa  6/8 epochs of 2 folds  0.5000" in lines[3]
    table, stream = _shown(shown, terminal=True)
    table.console.print(table.render())
    found = next(line for line in stream.getvalue().splitlines() if line.startswith("aaa"))
    assert found.split()[1:5] == ["stopped", "2/2", "6/8", "0.5000"]


def test_what_several_units_say_is_one_note() -> None:
    shown, _ = _board()
    display, stream = _shown(shown, terminal=False)
    asked: list[str] = []
    callback = BoardCallback(shown, display, lambda: None, pause=lambda: asked.append("pause"))
    for notes in (["the same"], ["the same", "another"], ["another"]):
        callback.on_trial_result(0, [], None, {"notes": notes, "paused": "the disk is full"})
    assert stream.getvalue().split("\n") == ["the same", "another", ""]
    assert asked == ["pause"] * 3
