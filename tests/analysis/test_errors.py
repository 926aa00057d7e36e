"""One UserError for every command line, and how command lines end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = "import sys; from analysis.errors import UserError, run_cli\n"


def unread(body: str, *arguments: object) -> tuple[int, bytes]:
    """Status and standard error of a command line that prints once the reader of its output has gone."""
    words = [sys.executable, "-c", RUN + body, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.close()
        said = process.stderr.read()
    return process.returncode, said


@pytest.mark.parametrize(
    ("main", "status", "said"),
    [
        ("def main(): raise UserError('file:3: expected an int')", 2, "error: file:3: expected an int\n"),
        (
            r"def main(): raise UserError('a\x1b[31m\x07b\nc\x9b\u202e: no such \xe9')",
            2,
            "error: a\\x1b[31m\\x07b\\nc\\x9b\\u202e: no such \xe9\n",
        ),
        ("def main(): raise KeyboardInterrupt", 130, "interrupted\n"),
        ("def main(): return 3", 3, ""),
        ("def main(): return None", 0, ""),
    ],
)
def test_exit_status(main: str, status: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{RUN}{main}\nrun_cli(main)"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (status, said)


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_went_away_is_no_error(lines: int) -> None:
    body = f"def main():\n    sys.stdin.read()\n    for i in range({lines}): print(i)\nrun_cli(main)"
    assert unread(body) == (0, b"")


def test_another_broken_pipe_is_not_hidden() -> None:
    body = "def main(): raise BrokenPipeError('a worker')\nrun_cli(main)"
    done = subprocess.run([sys.executable, "-c", RUN + body], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "BrokenPipeError: a worker" in done.stderr


SAY = "def main(): print('a line'); return {}\nrun_cli(main, stores={})"
FULL = "what was printed could not all be written: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("returned", "stores", "status"), [(0, False, 2), (1, False, 1), (0, True, 0), (1, True, 1)]
)
def test_a_full_disk_ends_no_work_and_is_told(
    returned: int, stores: bool, status: int, unbuffered: str
) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", RUN + SAY.format(returned, stores)],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, f"{'note' if stores else 'error'}: {FULL}")


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_output_takes_all_and_no_file_gets_its_number(closed: str) -> None:
    body = "import os\ndef main():\n    print('a'); print('b', file=sys.stderr); return 7 * (os.open('/', 0) > 2)\n"
    command = [f'exec "$@" {closed}', "sh", sys.executable, "-c", f"{RUN}{body}run_cli(main)"]
    done = subprocess.run(["sh", "-c", *command], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "b\n" if closed == ">&-" else "")


def test_a_console_whose_reader_has_gone_lets_the_work_go_on(tmp_path: Path) -> None:
    body = """
from analysis.console import plain_console
def main():
    sys.stdin.read()
    console = plain_console()
    for _ in range(3): console.print('a line')
    open(sys.argv[1], 'w').write('stored')
    return 5
run_cli(main, stores=True)"""
    assert unread(body, tmp_path / "file") == (5, b"")
    assert (tmp_path / "file").read_text() == "stored"


def test_a_pipe_that_does_not_block_loses_nothing() -> None:
    body = "def main():\n    os.set_blocking(1, False); print('x' * 300_000)\nimport os\nrun_cli(main)"
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" | { sleep 0.3; wc -c; }', sys.executable, RUN + body],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("300001", "")
