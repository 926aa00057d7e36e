"""A unit whose writer stops at any byte, whose disk is full, or whose files are damaged: nothing is lost or mixed."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from analysis.files import filed_units
from analysis.store import Run
from analysis.unit_log import START, UnitLog, log_file
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.store import log_writer
from harness.store.storage import StoreUnwritable
from harness.trial.checkpoint import Checkpoints
from harness.trial.inspection import Inspections
from harness.trial.record import Record
from harness.trial.step.diverged import Diverged
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import MakeUnit, replicates_of
from tests.harness.killed import Killed, killed_after

CLOCK = ["wall_s", "cpu_s", "started", "finished"]
TABLES = ("units", "epochs", "terms", "cells", "warnings", "predictions", "embeddings", "pair_vectors")
SHORT = {"optimiser.epochs": 2, "optimiser.steps_per_epoch": 1, "loss.ranking.weight": 0.5}


def _to_the_end(unit_run: UnitRun) -> UnitRun:
    while not unit_run.finished:
        unit_run.advance()
    return unit_run


def _tables(run: Path) -> dict[str, pd.DataFrame]:
    opened = Run.open(run)
    frames = {name: opened.table(name) for name in TABLES}
    assert opened.problems == []
    return {name: frame.drop(columns=[c for c in CLOCK if c in frame]) for name, frame in frames.items()}


def _assert_equal(one: Path, other: Path) -> None:
    for (name, first), second in zip(_tables(one).items(), _tables(other).values(), strict=True):
        pd.testing.assert_frame_equal(first, second, check_exact=True, obj=name)


@pytest.fixture(scope="module")
def whole(tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a unit that nothing has disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    _to_the_end(replicates_of(tiny_dataset, tiny_fold, folder)(SHORT))
    return folder / "run"


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[int]]]:
    """writes(call, share, error): the log's `call`-th write gives up after that share of its bytes."""

    def stop(call: int, share: float, error: BaseException) -> list[int]:
        sizes: list[int] = []

        def write(handle: int, data: bytes) -> None:
            sizes.append(len(data))
            if len(sizes) != call + 1:
                os.write(handle, data)
                return
            os.write(handle, data[: int(share * len(data))])
            raise error

        monkeypatch.setattr(log_writer, "write", write)
        return sizes

    yield stop
    monkeypatch.undo()


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_a_kill_at_any_write_boundary_resumes_to_the_same_rows(
    make_unit: MakeUnit,
    whole: Path,
    tmp_path: Path,
    writes: Callable[..., list[int]],
    monkeypatch: pytest.MonkeyPatch,
    call: int,
    share: float,
) -> None:
    """The writes are: the beginning, one per epoch, and the end."""
    writes(call, share, Killed())
    with pytest.raises(Killed):
        _to_the_end(make_unit(SHORT, run="killed"))
    monkeypatch.undo()
    resumed = make_unit(SHORT, run="killed")
    assert resumed.record.notes == []
    assert resumed.epoch in (max(0, call - 2), max(0, call - 1))
    _to_the_end(resumed)
    _assert_equal(whole, tmp_path / "killed")


@pytest.mark.parametrize("name", ["save", "keep", "export"])
def test_kill_right_after_the_log_changes_nothing(
    make_unit: MakeUnit, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for after in (0, 2, 3):
        run, killed = f"{name}-{after}", killed_after(after)
        with monkeypatch.context() as patch:
            if name == "export":
                patch.setattr("harness.store.writer.os.replace", killed(os.replace))
            else:
                patch.setattr(Checkpoints, name, killed(getattr(Checkpoints, name)))
            with contextlib.suppress(Killed):
                _to_the_end(make_unit(SHORT, run=run))
        again = _to_the_end(make_unit(SHORT, run=run))
        assert again.unit in filed_units(tmp_path / run)
        _assert_equal(whole, tmp_path / run)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_full_disk_is_a_sentence_and_the_unit_goes_on_later(
    make_unit: MakeUnit, whole: Path, tmp_path: Path, writes: Callable[..., list[int]], number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    writes(2, 0.5, OSError(number, os.strerror(number)))
    full = make_unit(SHORT, run="full")
    full.advance()
    before = log_file(tmp_path / "full", full.unit).read_bytes()
    with pytest.raises(StoreUnwritable, match="cannot be written: "):
        full.advance()
    assert log_file(tmp_path / "full", full.unit).read_bytes() == before, "the half frame is cut off again"
    monkeypatch.undo()
    resumed = make_unit(SHORT, run="full")
    assert resumed.epoch == 1
    assert resumed.record.notes == []
    _to_the_end(resumed)
    _assert_equal(whole, tmp_path / "full")


@pytest.mark.parametrize(
    "damage",
    [
        "last.pt",
        "selected",
        "log",
        "log cut",
        "no log",
        "older selected",
        "last.pt folder",
        "log folder",
        "log link",
    ],
)
def test_damage_is_named_put_aside_and_the_unit_starts_again(
    make_unit: MakeUnit, whole: Path, tmp_path: Path, damage: str
) -> None:
    begun = make_unit(SHORT, run="hurt")
    begun.advance()
    log = log_file(tmp_path / "hurt", begun.unit)
    checkpoints = tmp_path / "hurt" / "checkpoints" / begun.unit
    if damage == "log":
        content = bytearray(log.read_bytes())
        content[len(content) // 2] ^= 1
        log.write_bytes(bytes(content))
    elif damage.startswith(("no log", "log folder", "log link")):
        log.unlink()
        if damage != "no log":
            log.mkdir() if damage == "log folder" else log.symlink_to(tmp_path / "nothing")
    elif damage == "last.pt folder":
        (checkpoints / "last.pt").unlink()
        (checkpoints / "last.pt").mkdir()
    elif damage == "older selected":
        Checkpoints(checkpoints).save("epoch-1", make_unit(SHORT, run="other").trainer.weights())
    else:
        file = {"last.pt": checkpoints / "last.pt", "selected": checkpoints / "epoch-1.pt"}.get(damage, log)
        file.write_bytes(file.read_bytes()[:-40])
    again = make_unit(SHORT, run="hurt")
    assert again.epoch == 0
    said = " ".join(again.record.notes)
    assert f"unit {again.unit} starts again from its first epoch" in said
    broken = {"last.pt": "last.pt", "last.pt folder": "last.pt", "selected": "epoch-1.pt"}.get(damage)
    broken = "epoch-1.pt" if damage == "older selected" else broken
    assert (".log" if broken is None else f"{broken} cannot be read") in said
    assert list((tmp_path / "hurt").rglob("*.damaged")), "nothing is deleted"
    _to_the_end(again)
    _assert_equal(whole, tmp_path / "hurt")


def test_a_unit_under_whose_name_the_log_of_another_lies_is_run(make_unit: MakeUnit, tmp_path: Path) -> None:
    one = _to_the_end(make_unit(SHORT))
    other = one.unit.rpartition("-")[0] + "-1"
    log_file(tmp_path / "run", other).write_bytes(log_file(tmp_path / "run", one.unit).read_bytes())
    unit_run = make_unit(SHORT, seed=1)
    assert (unit_run.unit, unit_run.status, unit_run.epoch) == (other, "running", 0)
    assert f"it is the log of another unit, {one.unit}" in unit_run.record.notes[0]


def test_a_cut_log_without_a_checkpoint_is_said(make_unit: MakeUnit, tmp_path: Path) -> None:
    begun = make_unit({**SHORT, "optimiser.epochs": 3})
    begun.advance()
    begun.advance()
    log = log_file(tmp_path / "run", begun.unit)
    log.write_bytes(log.read_bytes()[:-10])
    for file in (tmp_path / "run" / "checkpoints" / begun.unit).glob("*.pt"):
        file.unlink()
    again = make_unit({**SHORT, "optimiser.epochs": 3})
    assert again.epoch == 0
    assert "starts again from its first epoch: it has no checkpoint" in again.record.notes[0]


def test_ended_unit_without_parquet_or_weights_has_still_ended(make_unit: MakeUnit, tmp_path: Path) -> None:
    ended = _to_the_end(make_unit(SHORT))
    before = _tables(tmp_path / "run")
    for file in (tmp_path / "run").rglob("*.parquet"):
        file.unlink()
    (tmp_path / "run" / "checkpoints" / ended.unit / "last.pt").write_bytes(b"PK")
    again = make_unit(SHORT)
    assert again.status == "done"
    assert "last.pt cannot be read" in again.record.notes[0]
    assert ended.unit in filed_units(tmp_path / "run")
    log_file(tmp_path / "run", ended.unit).unlink()
    assert make_unit(SHORT).status == "done", "its log is written again from Parquet"
    for name, frame in _tables(tmp_path / "run").items():
        pd.testing.assert_frame_equal(frame, before[name], check_exact=True)


def test_failure_in_the_last_evaluation_never_ends_as_done(
    make_unit: MakeUnit, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nan(self: Inspections, record: Record) -> None:
        raise Diverged("loss term task is nan at step 2")

    with monkeypatch.context() as patch:
        patch.setattr(Inspections, "ended", nan)
        diverged = _to_the_end(make_unit(SHORT, run="nan"))
    assert diverged.status == "diverged"
    assert "in the audit at its end: loss term task" in diverged.row["reason"]
    assert Run.open(tmp_path / "nan").table("epochs")["epoch"].tolist() == [1, 2]

    def broken(self: UnitRun) -> None:
        raise ZeroDivisionError("no pairs")

    with monkeypatch.context() as patch:
        patch.setattr(UnitRun, "_final_evaluation", broken)
        failing = make_unit(SHORT, run="broken")
        failing.advance()
        with pytest.raises(ZeroDivisionError):
            failing.advance()
    assert failing.status == "running"
    failing.close("failed", "ZeroDivisionError: no pairs")
    assert Run.open(tmp_path / "broken").table("units")["status"].tolist() == ["failed"]
    resumed = make_unit(SHORT, run="broken")
    assert (resumed.status, resumed.epoch) == ("running", 2), "it goes on with its end alone"
    summary = resumed.advance()
    assert resumed.status == "done"
    assert summary.epoch == 2
    assert summary.objective == summary.objective
    _assert_equal(whole, tmp_path / "broken")


def test_nan_in_the_first_audit_ends_the_unit_as_diverged(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nan(self: Inspections) -> None:
        raise Diverged("the gradient norm is nan at step 0")

    monkeypatch.setattr(Inspections, "first", nan)
    unit_run = make_unit(SHORT)
    unit_run.advance()
    assert (unit_run.status, unit_run.epoch) == ("diverged", 0)
    assert "step 0" in unit_run.row["reason"]


def test_checkpoint_does_not_grow_and_an_epoch_appends(make_unit: MakeUnit, tmp_path: Path) -> None:
    unit_run = make_unit({**SHORT, "optimiser.epochs": 30})
    sizes, logs = [], [0]
    last = tmp_path / "run" / "checkpoints" / unit_run.unit / "last.pt"
    while unit_run.epoch < 24:
        unit_run.advance()
        sizes.append(last.stat().st_size)
        logs.append(log_file(tmp_path / "run", unit_run.unit).stat().st_size)
    assert sizes[-1] < sizes[2] + 4000
    assert logs[-1] - logs[-2] < 1.5 * (logs[3] - logs[2])
    assert UnitLog.read(log_file(tmp_path / "run", unit_run.unit)).mark != START
    assert isinstance(unit_run.record, Record)
