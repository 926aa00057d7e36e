"""Run folders that cannot be written are refused, and disks that fill up are met, in one sentence with status 2."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.errors import UserError
from analysis.paths import user_path
from harness.store.damaged import put_aside
from harness.store.storage import DISK, StoreUnwritable, check_writable, writing
from tests.harness.command import Ended, command
from tests.harness.small_data import small_tables, write_parquet

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _trial(out: Path, tmp_path: Path) -> Ended:
    data = write_parquet(tmp_path / "data", small_tables())
    sets = ("--set", "support.size=4", "--set", "episode.query=4")
    return command("harness.single", "minimal", "--out", out, "--data", data, "--cache", tmp_path, *sets)


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(
            StoreUnwritable, match=f"{folder} cannot be written: a file stands where a folder"
        ):
            check_writable(folder)


def test_full_and_read_only_disks_are_said(small: Path) -> None:
    with pytest.raises(StoreUnwritable, match="no space left on its disk"), writing(small / "log"):
        (small / "log").write_bytes(bytes(100_000))
    with pytest.raises(StoreUnwritable, match="no space left on its disk"):
        check_writable(small / "run")
    (small / "log").unlink()
    check_writable(small / "run")
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    with pytest.raises(StoreUnwritable, match="its file system is read-only"):
        check_writable(small / "run" / "below")


def test_cause_further_down_counts_and_other_errors_stay(tmp_path: Path) -> None:
    full = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    with pytest.raises(StoreUnwritable, match="quota"), writing(tmp_path, DISK):
        raise RuntimeError("the snapshot could not be saved") from full
    with pytest.raises(PermissionError), writing(tmp_path, DISK):
        raise PermissionError(errno.EACCES, "no")
    with pytest.raises(ValueError, match="other"), writing(tmp_path):
        raise ValueError("other")


def test_command_lines_answer_with_one_sentence_and_status_2(small: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = _trial(tmp_path / "file" / "run", tmp_path)
    full = _trial(small / "run", tmp_path)
    for ended, words in ((refused, "a file stands"), (full, "no space left")):
        assert ended.returncode == 2, ended.stderr
        assert "Traceback" not in ended.stderr
        assert ended.stderr.count("\n") == 1
        assert words in ended.stderr


def test_too_long_names_and_closed_places_are_one_sentence(tmp_path: Path) -> None:
    long = tmp_path / ("a" * 300) / "run"
    with pytest.raises(StoreUnwritable, match="the name is too long"):
        check_writable(long)
    with pytest.raises(UserError, match="the name is too long"):
        user_path(long)
    with pytest.raises(StoreUnwritable, match="/proc/x cannot be written: this user may not write there"):
        check_writable(Path("/proc/x"))


def test_a_damaged_file_that_cannot_be_put_aside_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "epoch-1.pt"
    file.write_bytes(b"half")

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refused)
        with pytest.raises(
            StoreUnwritable, match=r"epoch-1\.pt\.damaged cannot be written: this user may not write"
        ):
            put_aside(file)
    assert file.read_bytes() == b"half"
    assert put_aside(file).name == "epoch-1.pt.damaged"
