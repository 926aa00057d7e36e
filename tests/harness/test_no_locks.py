"""File systems without locks, and NFS, where a file's mode decides who gets one: a sentence, and never two writers."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from analysis.errors import UserError
from analysis.export.state import ExportSource, State
from analysis.language import catalogue
from analysis.next_step import next_step
from analysis.paths import driven, in_doubt, tried
from analysis.ranking import rank
from analysis.schema import LOCK, TRIAL_LOCK
from analysis.store import Run
from harness.data.publishing import locked
from harness.runs.combining import _draft
from harness.runs.notes import change_notes
from harness.runs.summary import RunSummary
from harness.store.storage import StoreUnwritable, check_shareable
from harness.store.trial_lock import at_work
from harness.store.unit_lock import UnitLock
from harness.sweep.run.lock import driver_running, only_driver
from tests.analysis.test_language import english
from tests.harness.command import command
from tests.harness.small_data import small_tables, write_parquet
from tests.harness.small_sweeps import NEVER
from tests.narrow import present
from tests.recorded.copies import Copy, write_unit


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.__getitem__)
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every lock that is asked for meets a file system that has none; what the system says to it."""
    number: int = request.param

    def refused(*asked: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    monkeypatch.setattr(fcntl, "lockf", refused)
    return os.strerror(number)


def entered(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def enter(folder: Path) -> None:
        with make(folder):
            raise AssertionError("somebody writes without a lock")

    return enter


WRITERS: dict[str, Callable[[Path], Any]] = {
    "folder of a run": check_shareable,
    "driver": entered(only_driver),
    "trial": entered(at_work),
    "unit": UnitLock,
    "cache": entered(lambda folder: locked(folder / ".data.lock")),
    "notes": lambda folder: change_notes(folder, lambda notes: notes.tagged(["paper"])),
    "combining": entered(lambda folder: _draft(folder / "out")),
    "export": lambda folder: State(folder, "csv", ExportSource("run", "project", "data")),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_who_would_write_without_a_lock_is_refused(writer: str, no_locks: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        WRITERS[writer](tmp_path)
    said = str(refused.value)
    assert str(tmp_path) in said
    assert (
        f"its file system has no locks ({no_locks}), so that two writers would not know of each other" in said
    )
    left = {path.name for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size}
    assert left == set()


def test_commands_end_with_a_sentence_and_leave_nothing(no_locks: str, tmp_path: Path) -> None:
    data = write_parquet(tmp_path / "data", small_tables())
    (tmp_path / "never.yaml").write_text(NEVER)
    kept = {path.name for path in tmp_path.iterdir()}
    out, cache = tmp_path / "deep" / "run", tmp_path / "cache"
    sweep = ("harness.sweep", tmp_path / "never.yaml", "--out", out)
    for done in (
        command("harness.single", "minimal", "--data", data, "--out", out, "--cache", cache),
        command(*sweep, "--cache", cache),
        command(*sweep, "--cache", cache, "--dry-run"),
    ):
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert "its file system has no locks" in done.stderr
        assert done.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} <= kept | {"cache"}
    assert not [file for file in cache.glob("*") if not file.name.endswith(".lock")]


def test_a_dry_run_asks_for_the_lock_of_a_run_that_is_there(no_locks: str, tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    with pytest.raises(StoreUnwritable, match="its file system has no locks"):
        driver_running(tmp_path)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A trial alone that has ended one unit of two, and holds no lock any more."""
    run = tmp_path / "run"
    write_unit(run, Copy("aaa111", {}), 0)
    write_unit(run, Copy("aaa111", {}, status="running"), 1)
    (run / TRIAL_LOCK).touch()
    return run


def test_nobody_is_told_that_nothing_runs_where_that_is_unknown(
    begun: Path, no_locks: str, tmp_path: Path
) -> None:
    doubt = f"{TRIAL_LOCK} cannot be locked ({no_locks}), so that nobody can tell whether it is running"
    assert in_doubt(begun) == doubt
    assert not driven(begun)
    assert not tried(begun)
    ranking = rank(Run.open(begun))
    assert ranking.left_out == {"running": 1}, "as the unit itself says"
    assert ranking.run.problems == [doubt]
    assert next_step(ranking) == f"1 unit has not ended: look where it was started, as {doubt}"
    words = present(catalogue("zh"))
    assert english(words(f"next: {next_step(ranking)}").replace(no_locks, "")) == []
    assert english(words(f"not read: {doubt}").replace(no_locks, "")) == []
    assert RunSummary(Run.open(begun)).status == "unknown"
    shutil.rmtree(begun)
    write_unit(begun, Copy("aaa111", {}, status="running"), 1)
    (begun / TRIAL_LOCK).touch()
    with pytest.raises(UserError) as refused:
        rank(Run.open(begun))
    assert str(refused.value).endswith(f"; {doubt}")


def test_where_locks_are_the_same_run_is_interrupted(begun: Path) -> None:
    assert in_doubt(begun) == ""
    assert rank(Run.open(begun)).left_out == {"interrupted": 1}
    assert RunSummary(Run.open(begun)).status == "single"


def test_a_draft_stays_where_nobody_can_tell(no_locks: str, tmp_path: Path) -> None:
    other = tmp_path / f".out.{'0' * 32}"
    other.mkdir()
    (other / LOCK).touch()
    with pytest.raises(StoreUnwritable), _draft(tmp_path / "out"):
        raise AssertionError("it was locked")
    assert list(tmp_path.iterdir()) == [other]


@pytest.fixture
def nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As flock(2) has it of NFS: a shared lock is for who has the file open to read, an exclusive one for who has it open
    to write."""
    flock = fcntl.flock

    def asked(stream: IO[bytes] | int, kind: int) -> None:
        number = stream if isinstance(stream, int) else stream.fileno()
        mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
        if mode == (os.O_WRONLY if kind & fcntl.LOCK_SH else os.O_RDONLY):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(stream, kind)

    monkeypatch.setattr(fcntl, "flock", asked)


def test_locks_of_nfs_are_taken_and_seen(nfs: None, tmp_path: Path) -> None:
    assert not driven(tmp_path)
    assert not tried(tmp_path)
    with at_work(tmp_path), at_work(tmp_path):
        assert tried(tmp_path)
        assert not driven(tmp_path)
    assert not tried(tmp_path)
    with only_driver(tmp_path):
        assert driven(tmp_path)
        assert driver_running(tmp_path)
        with pytest.raises(UserError, match="another sweep is running"), only_driver(tmp_path):
            raise AssertionError("two drivers")
    assert not driven(tmp_path)
    for entry in ("cache", "notes", "combining", "export"):
        (tmp_path / entry).mkdir()
    with locked(tmp_path / "cache" / "lock"), _draft(tmp_path / "combining" / "out"):
        change_notes(tmp_path / "notes", lambda notes: notes.tagged(["paper"]))
        State(tmp_path / "export", "csv", ExportSource("run", "project", "data")).close()
    assert in_doubt(tmp_path) == ""
