"""A session folder is its driver's alone, and goes only when its lock tells that the driver is gone."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.sweep.cluster import session
from harness.sweep.cluster.session import LOCK, remove_stale, session_folder, short_root

HOLD = """
    import sys
    from pathlib import Path
    from harness.sweep.cluster.session import session_folder
    with session_folder() as folder:
        print(folder, flush=True)
        sys.stdin.read()
"""
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder for temporary files, this test's own; `tmp_path` is deep, and made before."""
    folder = Path(tempfile.mkdtemp(prefix="s", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    tempfile.tempdir = None
    shutil.rmtree(folder)


@contextlib.contextmanager
def _held(*wrapper: str) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """Another driver with a session folder of its own."""
    command = [*wrapper, sys.executable, "-c", textwrap.dedent(HOLD)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Path(process.stdout.readline().strip()), process
        process.stdin.close()


def _stale(root: Path, *, kernel: str | None = None, lock: bool = True) -> Path:
    folder = root / f"prism-{os.getuid()}-0123abcd"
    (folder / "session_x").mkdir(parents=True)
    if lock:
        (folder / LOCK).write_text(session._kernel() if kernel is None else kernel)
    return folder


def test_driver_keeps_its_folder_only_while_it_lives(root: Path) -> None:
    with _held() as (other, process):
        (other / "session_x").mkdir()
        assert other.stat().st_mode & 0o777 == 0o700
        with session_folder() as mine:
            assert mine.parent == other.parent == root
            assert mine != other
            assert (other / "session_x").is_dir()
        assert not mine.exists()
        process.kill()
        process.wait()
        assert other.exists()
        remove_stale(root)
        assert not other.exists()


def test_driver_of_another_process_namespace_counts_as_alive(root: Path) -> None:
    apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("this user may not make a process namespace of its own")
    with _held(*apart) as (other, _):
        remove_stale(root)
        assert (other / LOCK).is_file()
        with session_folder():
            assert other.is_dir()


def test_what_is_in_doubt_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlocked = _stale(root, lock=False)
    remove_stale(root)
    assert unlocked.is_dir(), "no lock file: it may be made at this moment"
    shutil.rmtree(unlocked)
    foreign = _stale(root, kernel="another machine's")
    remove_stale(root)
    assert foreign.is_dir(), "a lock of another kernel may not reach here"
    (foreign / LOCK).write_text(session._kernel())

    def unknown(stream: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", unknown)
        remove_stale(root)
        assert foreign.is_dir(), "a file system without locks tells nothing"
        with session_folder() as mine:
            assert mine.is_dir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: os.stat(root).st_uid + 1)
        foreign = foreign.rename(root / f"prism-{os.getuid()}-0123abcd")
        remove_stale(root)
        assert foreign.is_dir(), "somebody else's"
    foreign = foreign.rename(root / f"prism-{os.getuid()}-0123abcd")
    remove_stale(root)
    assert not foreign.exists()


def test_a_link_under_our_name_leads_nowhere(root: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / LOCK).write_text(session._kernel())
    (root / f"prism-{os.getuid()}-0000aaaa").symlink_to(precious)
    stale = _stale(root)
    (stale / LOCK).unlink()
    (stale / LOCK).symlink_to(precious / LOCK)
    with session_folder() as mine:
        (mine / "link").symlink_to(precious)
    assert (precious / LOCK).is_file()
    assert stale.is_dir()
    assert not mine.exists()


def test_a_draft_that_its_driver_left_goes_when_it_is_old(root: Path) -> None:
    def draft(name: str, *files: str, hours: float) -> Path:
        folder = root / f"{session.DRAFT}{name}"
        folder.mkdir(mode=0o700)
        for file in files:
            (folder / file).touch()
        then = time.time() - 3600 * hours
        os.utime(folder, (then, then))
        return folder

    old = [draft("empty", hours=2), draft("locked", LOCK, hours=2)]
    kept = [draft("new", hours=0), draft("newlocked", LOCK, hours=0.5), draft("other", "data", hours=2)]
    (root / f"{session.DRAFT}link").symlink_to(kept[-1])
    with session_folder():
        pass
    assert [folder.exists() for folder in old] == [False, False]
    assert all(folder.is_dir() for folder in kept)
    assert (kept[1] / LOCK).is_file()
    assert (kept[2] / "data").is_file()


def test_a_folder_that_cannot_be_finished_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(UserError, match="No space left on device"), session_folder():
            pass
    assert list(root.iterdir()) == []


def test_a_deep_folder_for_temporary_files_is_left_aside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(root / ("x" * 100)))
    assert short_root() == Path("/tmp")
    monkeypatch.setattr(session, "SOCKET_PATH", 90)
    with pytest.raises(UserError, match=r"set TMPDIR to such a folder"):
        short_root()
