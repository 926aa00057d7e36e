"""One UserError for every command line, and how command lines end."""

import subprocess
import sys
from pathlib import Path

import pytest

import analysis.errors
import harness.errors

ROOT = Path(__file__).parents[2]
RUN = "import sys; from harness.errors import run_cli; from analysis.errors import UserError\n"


def test_both_import_paths_give_the_same_objects() -> None:
    assert set(harness.errors.__all__) == {"UserError", "nearest", "run_cli", "shorten"}
    for name in harness.errors.__all__:
        assert getattr(harness.errors, name) is getattr(analysis.errors, name)


@pytest.mark.parametrize(
    ("main", "status", "said"),
    [
        ("def main(): raise UserError('file:3: expected an int')", 2, "error: file:3: expected an int\n"),
        ("def main(): raise KeyboardInterrupt", 130, "interrupted\n"),
        ("def main(): return 3", 3, ""),
        ("def main(): return None", 0, ""),
    ],
)
def test_exit_status(main: str, status: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{RUN}{main}\nrun_cli(main)"], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (status, said)


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_went_away_is_no_error(lines: int) -> None:
    body = f"def main():\n    sys.stdin.read()\n    for i in range({lines}): print(i)\nrun_cli(main)"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN + body],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin and process.stdout and process.stderr
    process.stdout.close()
    process.stdin.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_another_broken_pipe_is_not_hidden() -> None:
    body = "def main(): raise BrokenPipeError('a worker')\nrun_cli(main)"
    done = subprocess.run([sys.executable, "-c", RUN + body], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "BrokenPipeError: a worker" in done.stderr
