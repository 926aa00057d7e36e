"""Names of data, files and configurations are printed as they are by every command line of the harness."""

import io
import math
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from analysis.schema import MACRO, POOLED
from analysis.store import Run
from harness.sweep.show.display import Display
from tests.harness import small_data
from tests.harness.boards import FOLD, board, row
from tests.harness.command import command

ROOT = Path(__file__).parents[2]
LINES = ("A[red]549", "[/bold]GM", "HM:star:EC", "[run]", "T[naive]")
SMALL = (
    *("model.encoder=cnn", "model.embedding=4", "model.width=8", "model.pool=12", "episode.query=4"),
    *("support.size=4", "episode.per_step=2", "optimiser.steps_per_epoch=1"),
)
YAML = """
name: odd
base: minimal
data: {{root: "{data}"}}
trial: {{epochs: 1, seeds: 1}}
set: {{support.size: 4, episode.query: 4}}
design: grid
space: {{energy.form: {{choice: [linear, gated]}}}}
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(small_data, "LINES", LINES)
    return small_data.write_parquet(tmp_path / "[data]", small_data.small_tables())


def test_describe_and_a_dry_run_name_cell_lines_and_folders(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "odd [yaml].yaml"
    file.write_text(YAML.format(data=data))
    cache = ("--cache", tmp_path / "[cache]")
    described = command("harness.data", "describe", data, *cache)
    assert described.returncode == 0, described.stderr
    planned = command("harness.sweep", file, "--dry-run", "--out", tmp_path / "[/bold]run", *cache)
    assert planned.returncode == 0, planned.stderr
    assert all(line in described.stdout for line in LINES)
    assert sum(line in planned.stdout for line in LINES) >= 2, "the fold's test and validation"
    assert "[data]" in planned.stdout.replace("\n", "")
    assert "[/bold]run" in planned.stdout.replace("\n", "")


def test_a_trial_prints_whole_numbers_in_80_columns(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run = tmp_path / "my [run] $HOME"
    sets = [word for each in (*SMALL, "audit=off") for word in ("--set", each)]
    options = ("--epochs", 1, "--out", run, "--data", data, "--cache", tmp_path)
    done = command("harness.single", "minimal", *options, *sets, encoding="ascii")
    assert done.returncode == 0, done.stderr
    assert (
        f"configuration {Run.open(run).table('units')['config'].iloc[0]} on cpu (model size small)"
        in done.stdout
    )
    table = [line.replace("|", " ") for line in done.stdout.splitlines()]  # no lines but these in ASCII
    rows = [line.split() for line in table if line.startswith(("val_unseen ", "test "))]
    assert [row[:2] for row in rows] == [
        [split, level] for split in ("val_unseen", "test") for level in (MACRO, POOLED)
    ]
    assert all(len(row) == 12 and all(math.isfinite(float(each)) for each in row[2:]) for row in rows)
    printed = shlex.split(done.stdout.partition("compare with: ")[2].splitlines()[0])
    assert printed == ["python", "-m", "analysis", str(run)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert command(*printed[2:]).returncode == 0


@pytest.mark.parametrize("reader", ["full", "gone"])
def test_a_trial_whose_output_nobody_takes_is_trained_and_stored(
    data: Path, tmp_path: Path, reader: str
) -> None:
    sets = [word for each in (*SMALL, "audit=off") for word in ("--set", each)]
    words = [
        "harness.single",
        "minimal",
        "--epochs",
        "2",
        "--out",
        str(tmp_path / "run"),
        "--data",
        str(data),
        *sets,
    ]
    shell = 'exec "$@" > /dev/full' if reader == "full" else '{ "$@"; echo $? > status; } | true'
    done = subprocess.run(
        ["bash", "-c", f"cd {shlex.quote(str(tmp_path))}; {shell}", "sh", sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    status = done.returncode if reader == "full" else int((tmp_path / "status").read_text())
    assert status == 0
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == (reader == "full"), "one sentence on a full disk, none to nobody"
    trials = Run.open(tmp_path / "run").table("units")
    assert trials["status"].tolist() == ["done"]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_live_table_and_its_lines_take_labels_as_they_are(terminal: bool) -> None:
    shown = board(2)
    for config, value in (("aaa", "[/bold]"), ("bbb", "T[naive]")):
        shown.enter(row(config, {"mode": value}, 2))
    report = {
        "configuration": "aaa",
        "fold": FOLD,
        "epoch": 1,
        "objective": 0.5,
        "status": "running",
        "reason": "",
    }
    updated = shown.update({**report, "metrics": [], "warned": [], "seconds": 1.0, "diverged": 0})
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None)
    display = Display(console, shown, "val_unseen/macro/aupr")
    display.epoch(updated)
    if terminal:
        console.print(display.render())
    assert "[/bold]" in out.getvalue()
