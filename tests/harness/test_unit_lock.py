"""Of a unit there is one writer: what another process holds is waited for, and then refused in a sentence."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from harness.store import unit_lock
from harness.store.storage import StoreUnwritable
from harness.store.unit_lock import UnitLock
from harness.store.writer import RunWriter
from harness.trial.record import Record

ANOTHER = """
    import sys
    from pathlib import Path
    from harness.store.unit_lock import UnitLock
    lock = UnitLock(Path(sys.argv[1]))
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return RunWriter(tmp_path).checkpoint_folder("a-b-0")


def another(folder: Path) -> "subprocess.Popen[str]":
    """A process that writes the unit, until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ANOTHER), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_unit_that_another_process_writes_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_lock, "PATIENCE", 0.3)
    with another(folder) as process:
        with pytest.raises(StoreUnwritable, match="another process is writing unit a-b-0 of this run"):
            Record(RunWriter(tmp_path), "a-b-0", torch.device("cpu"))
        assert [file.name for file in folder.iterdir()] == [unit_lock.FILE], "nothing of it is touched"
        process.kill()
        process.wait()
        Record(RunWriter(tmp_path), "a-b-0", torch.device("cpu"))


def test_a_writer_that_ends_is_waited_for(folder: Path) -> None:
    with another(folder) as process:
        assert process.stdin is not None
        process.stdin.close()
        UnitLock(folder)


def test_a_process_takes_a_unit_again_from_itself(folder: Path) -> None:
    first, second = UnitLock(folder), UnitLock(folder)
    assert first is not second
