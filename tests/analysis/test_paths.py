"""Where a run is looked for, what its state is called, and that what is hinted at can be followed."""

import fcntl
from pathlib import Path

import pytest

from analysis.__main__ import NOTEBOOK, main, print_ranking
from analysis.errors import UserError
from analysis.paths import driven, tried
from analysis.ranking import rank
from analysis.schema import LOCK, TRIAL_LOCK
from analysis.store import Run
from harness.store.trial_lock import at_work
from tests.harness.command import command
from tests.recorded.copies import Copy, write_unit

ROOT = Path(__file__).parents[2]


def _empty(run: Path) -> Path:
    (run / "units").mkdir(parents=True)
    return run


def test_only_a_held_lock_is_a_running_sweep(tmp_path: Path) -> None:
    run = _empty(tmp_path / "run")
    for left in (False, True):
        if left:
            (run / LOCK).touch()
        assert not driven(run)
        with pytest.raises(UserError, match=r"nothing is running in it: start .* again") as refused:
            rank(Run.open(run))
        assert "wait" not in str(refused.value)
    with (run / LOCK).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert driven(run)
        with pytest.raises(UserError, match="a sweep is running in it, wait"):
            rank(Run.open(run))


def test_only_a_trial_at_work_is_a_running_trial(tmp_path: Path) -> None:
    write_unit(tmp_path / "run", Copy("aaa111", {}, status="running"), 0)
    run = tmp_path / "run"
    with at_work(run), at_work(run):
        assert tried(run)
        assert not driven(run)
        with pytest.raises(UserError, match=r"\(1 running\); a trial is running in it, wait for it to end$"):
            rank(Run.open(run))
    assert (run / TRIAL_LOCK).exists()
    assert not tried(run)
    with pytest.raises(UserError, match=r"\(1 interrupted\); nothing is running in it: start its"):
        rank(Run.open(run))


def test_an_unreadable_part_is_named_where_there_is_nothing_else(tmp_path: Path) -> None:
    run = _empty(tmp_path / "run")
    (run / "units" / "part-0.parquet").write_bytes(b"")
    with pytest.raises(UserError, match=r"not read: units/part-0\.parquet cannot be read"):
        rank(Run.open(run))


@pytest.mark.parametrize("typed", ["recorde", "."])
def test_a_hint_can_be_followed(run_path: Path, typed: str) -> None:
    """The nearest run, and the runs of a folder, are named so that they can be pasted."""
    with pytest.raises(UserError) as refused:
        Run.open(run_path.parent / typed)
    assert Run.open(str(refused.value).replace("'", " ").rstrip("?").split()[-1]).name == "recorded"


def test_home_is_home_for_runs(run_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(run_path.parent))
    assert main([f"~/{run_path.name}", "--top", "1"]) == 0
    assert Run.open("~/recorded").name == "recorded"


def test_the_ranking_says_where_the_notebook_and_the_run_are(
    run_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run_path.parent)
    print_ranking(run_path.name)
    said = capsys.readouterr().out
    assert NOTEBOOK.is_file()
    assert f"open {NOTEBOOK}\n" in said
    assert f"RUN = {str(run_path)!r}" in said


@pytest.mark.parametrize("inside", ["runs", "notebooks"])
def test_a_run_is_found_from_a_folder_of_its_project(
    run_path: Path,
    inside: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "one").symlink_to(run_path)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / inside)
    assert Run.find("runs/one").table("units").shape[0] == 12
    assert capsys.readouterr().out == (
        f"runs/one: not in {tmp_path / inside}; read from {tmp_path / 'runs' / 'one'}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert Run.find("runs/one").path == Run.find(tmp_path / "runs" / "one").path == tmp_path / "runs" / "one"
    assert capsys.readouterr().out == "", "it is the one that was named"
    with pytest.raises(UserError, match="runs/two: no such run"):
        Run.find("runs/two")


@pytest.mark.parametrize(
    "arguments", [("~nobody-of-that-name/x",), ("",), ("compare", "", "--key", "a", "--a", "1", "--b", "2")]
)
def test_odd_paths_are_one_sentence(arguments: tuple[str, ...]) -> None:
    done = command("analysis", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
