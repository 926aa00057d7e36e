"""Ctrl-C while a command still loads is an interruption as any other: status 130, one word, no traceback."""

import os
import pkgutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import analysis
import harness

COMMANDS = sorted(
    f"{room.__name__}.{module.name}"
    for room in (analysis, harness)
    for module in pkgutil.iter_modules(room.__path__)
    if Path(room.__path__[0], module.name, "__main__.py").exists()
)
STANDS_STILL = """
import sys, time


class Slow:
    def find_spec(self, name, path=None, target=None):
        if name in ("numpy", "torch", "rich"):
            print("loading", flush=True)
            time.sleep(60)


sys.meta_path.insert(0, Slow())
"""


@pytest.mark.parametrize("module", ["analysis", *COMMANDS])
def test_an_interruption_while_it_loads_is_one_word(module: str, tmp_path: Path) -> None:
    """A library that every command imports stands still, so that the signal comes while it loads."""
    (tmp_path / "sitecustomize.py").write_text(STANDS_STILL)
    paths = [str(tmp_path), str(Path(harness.__path__[0]).parent), os.environ.get("PYTHONPATH", "")]
    # The suite itself may run where Ctrl-C is turned off, as in the background of a shell: a child would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--help"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "interrupted\n")


def test_another_programs_ctrl_c_stays_its_own() -> None:
    code = (
        "import signal; before = signal.getsignal(2)\n"
        "import harness, analysis\nprint(signal.getsignal(2) is before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
