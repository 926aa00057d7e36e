"""What chaos compares and how it says it; the blows themselves are struck outside of the suite, by its command line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from harness.chaos.__main__ import drawn
from harness.chaos.blows import BLOWS
from harness.chaos.report import line, note, table
from harness.chaos.round import Struck, ended_wrongly, finished
from harness.chaos.snapshot import Snapshot, unkept_messages
from harness.chaos.stage import set_stage
from tests.harness.command import command
from tests.recorded.copies import COPIES, write_run

RUN = Path(__file__).parents[1] / "recorded" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return shutil.copytree(RUN, tmp_path / "run")


def test_a_run_is_equal_to_itself_and_to_no_other(run: Path, tmp_path: Path) -> None:
    here = Snapshot.of(run)
    assert here.problems == []
    assert here.epochs
    assert here.unlike(Snapshot.of(RUN)) == here.missing_from(Snapshot.of(RUN)) == []
    other = Snapshot.of(write_run(tmp_path / "other", COPIES[:1]))
    assert any(said.startswith("epochs: ") for said in here.unlike(other))
    assert any("rows of epochs" in said for said in here.missing_from(other))
    spoilt = frozenset(here.statuses)
    assert here.missing_from(other, spoilt) == []
    assert Snapshot.of(tmp_path / "nowhere").missing_from(here) == []


def test_rows_that_cannot_be_read_are_said(run: Path) -> None:
    (file,) = (run / "cells").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-20])
    assert any("cells/" in said for said in Snapshot.of(run).problems)


def test_an_epoch_that_was_trained_again_is_counted(run: Path) -> None:
    here = Snapshot.of(run)
    first = min(here.epochs)
    again = Snapshot(here.rows, {**here.epochs, first: here.epochs[first] + 1}, here.statuses, [])
    assert again.repeated(here) == {first}
    assert here.repeated(here) == set()


def test_a_message_without_its_rows_is_noticed(run: Path) -> None:
    here = Snapshot.of(run)
    config, _, _ = min(here.statuses)
    printed = f"epoch 1\ndone     {config}  epoch 3/3  0.5\n"
    assert unkept_messages(printed, here) == []
    assert unkept_messages("nothing is done", here) == []
    (said,) = unkept_messages(printed, Snapshot({}, {}, {}, []))
    assert said.endswith("is done, and the store has nothing of it")


def test_a_run_is_finished_by_plan_and_store(run: Path) -> None:
    assert finished(run)
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps({**plan, "status": "interrupted"}))
    assert not finished(run)
    assert not finished(run / "nowhere")


def test_how_a_sweep_may_end_depends_on_the_blow() -> None:
    worker, driver, head, disk = (BLOWS[key] for key in ("worker", "driver", "gcs", "disk"))
    assert list(ended_wrongly(worker, 0, "all well")) == []
    assert list(ended_wrongly(driver, -9, "")) == []
    assert "status -9" in next(ended_wrongly(worker, -9, "x"))
    assert "neither ended nor went on" in next(ended_wrongly(worker, None, "x"))
    assert "traceback" in next(ended_wrongly(worker, 0, "Traceback (most recent"))
    assert list(ended_wrongly(head, 1, "Traceback (most recent")) == [], "Ray's own words"
    assert list(ended_wrongly(disk, 2, "no space")) == []
    assert list(ended_wrongly(disk, 0, "report not written: no space")) == [], "every row was there before"
    assert "status 0" in next(ended_wrongly(disk, 0, "all well")), "it may not be silent about a full disk"


def test_every_kind_comes_as_often_as_any_other() -> None:
    chosen = drawn(list(BLOWS), 2 * len(BLOWS), seed=3)
    assert {kind.key: chosen.count(kind) for kind in chosen} == dict.fromkeys(BLOWS, 2)
    assert chosen == drawn(list(BLOWS), 2 * len(BLOWS), seed=3)
    assert chosen != drawn(list(BLOWS), 2 * len(BLOWS), seed=4)
    assert drawn([], 3, seed=0) == []


def test_report_has_a_line_per_blow_and_says_what_is_wrong(tmp_path: Path) -> None:
    good = Struck("worker", "kill -9 of a worker", 1.5, "first unit", 0, 1, 1, equal=True)
    bad = Struck("driver", "kill -9 of the driver", 2.0, "start", -9, 3, 1, 1, 9.5, wrong=["rows are gone"])
    for struck in (good, bad):
        note(tmp_path / "chaos.jsonl", struck)
    records = [json.loads(text) for text in (tmp_path / "chaos.jsonl").read_text().splitlines()]
    assert [(each["blow"], each["passed"], each["lost"]) for each in records] == [
        ("worker", True, 1),
        ("driver", False, 3),
    ]
    assert line(1, 2, good).endswith("1 epoch again, mended itself, bit-equal")
    assert "NOT bit-equal  WRONG: rows are gone" in line(2, 2, bad)
    console = Console(record=True, width=120)
    table([good, bad], console)
    shown = console.export_text()
    assert "3 of 1 units" in shown
    assert "NO" in shown


def test_its_sweep_is_one_and_its_help_names_every_blow(tmp_path: Path) -> None:
    check = [sys.executable, "-m", "harness.config", "check", str(set_stage(tmp_path / "stage"))]
    # In a process of its own, in which its term may be registered.
    checked = subprocess.run(check, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert checked.stdout.rstrip().endswith("2 configurations x 2 seeds"), checked.stderr
    helped = command("harness.chaos", "--help").stdout
    assert all(f"  {key} " in helped for key in BLOWS)
    refused = command("harness.chaos", "--only", "workr")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "did you mean 'worker'?" in refused.stderr
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("")
    other = command("harness.chaos", "--out", tmp_path / "precious")
    assert other.returncode == 2
    assert (tmp_path / "precious" / "file").exists()
