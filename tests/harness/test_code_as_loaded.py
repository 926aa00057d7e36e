"""Code that a process has loaded is told from what the files say now: changed since, elsewhere, or stale bytecode."""

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness.stamp.as_loaded as as_loaded
from harness.stamp.as_loaded import not_as_filed
from harness.stamp.code import Code, _files

SOURCE = "def scale(x):\n    return 0.9 * x\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with a function, and the process begun after it was written."""
    file = tmp_path / "scaled_twice.py"
    file.write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "scaled_twice", raising=False)
    monkeypatch.setattr(as_loaded, "BEGAN_NS", time.time_ns() + 10**7)
    time.sleep(0.02)
    yield file
    sys.modules.pop("scaled_twice", None)


def test_what_is_loaded_from_its_file_is_as_filed(module: Path) -> None:
    assert not_as_filed({"scaled_twice": module}) == {}  # nothing has loaded it
    importlib.import_module("scaled_twice")
    assert not_as_filed({"scaled_twice": module}) == {}


def test_a_file_that_changes_behind_the_process_is_told(module: Path) -> None:
    importlib.import_module("scaled_twice")
    module.write_text(SOURCE.replace("0.9", "1.0"))
    os.utime(module, (1, 1))  # its own time says nothing
    (name,) = not_as_filed({"scaled_twice": module})
    assert name == "scaled_twice (changed after the process had begun)"


def test_a_module_from_another_folder_is_told(module: Path, tmp_path: Path) -> None:
    importlib.import_module("scaled_twice")
    other = tmp_path / "other" / "scaled_twice.py"
    other.parent.mkdir()
    other.write_text(SOURCE)
    (name,) = not_as_filed({"scaled_twice": other})
    assert name == f"scaled_twice (loaded from {module})"
    link = tmp_path / "link.py"
    link.symlink_to(module)
    assert not_as_filed({"scaled_twice": link}) == {}


def test_bytecode_of_another_source_is_told(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = module.stat()
    importlib.import_module("scaled_twice")
    time.sleep(0.02)
    module.write_text(SOURCE.replace("0.9", "1.0"))  # as long, and at the same second
    os.utime(module, ns=(before.st_atime_ns, before.st_mtime_ns))
    del sys.modules["scaled_twice"]
    importlib.invalidate_caches()
    monkeypatch.setattr(as_loaded, "BEGAN_NS", time.time_ns() + 10**9)
    assert importlib.import_module("scaled_twice").scale(1.0) == 0.9
    (name,) = not_as_filed({"scaled_twice": module})
    assert name == "scaled_twice (loaded from bytecode of another source)"
    time.sleep(0.02)
    Path(importlib.util.cache_from_source(str(module))).touch()  # as old as the source at least: believed
    assert not_as_filed({"scaled_twice": module}) == {}


def test_a_stamp_names_what_was_changed_while_the_process_loaded(tmp_path: Path) -> None:
    """In a process of its own, which edits a file of the project's copy between loading and reading it."""
    root = tmp_path / "project"
    root.mkdir()
    here = Path(__file__).parents[2]
    for package in ("models", "harness", "analysis", "search_spaces"):
        subprocess.run(["cp", "-r", str(here / package), str(root)], check=True)
    script = """
import sys
from collections.abc import Iterator
from pathlib import Path
import harness.sweep.worker
from harness.stamp.code import Code
file = Path("models/sequence/cnn.py")
file.write_text(file.read_text() + "\\nEDITED = 1\\n")
print(*sorted(name for name in Code.today().modules if " " in name), sep="\\n")
"""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "models.sequence.cnn (changed after the process had begun)"


def test_files_behind_links_are_code(tmp_path: Path) -> None:
    package = tmp_path / "models"
    package.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "stem.py").write_text("A = 1\n")
    (package / "sequence").symlink_to(tmp_path / "elsewhere")
    (package / "again").symlink_to(package)
    assert set(_files(tmp_path)) == {"models.sequence.stem"}
    before = Code.of(tmp_path, ["models.sequence.stem"])
    (tmp_path / "elsewhere" / "stem.py").write_text("A = 2\n")
    assert Code.of(tmp_path, ["models.sequence.stem"]) != before
