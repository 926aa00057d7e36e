"""Ctrl-C while a command still loads is an interruption as any other: status 130, one word, no traceback."""

import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.parametrize("arguments", [["sweep", "x.yaml"], ["single", "rp24"], ["predict", "run", "x"]])
def test_an_interruption_while_it_loads_is_one_word(arguments: list[str]) -> None:
    name, *rest = arguments
    # A module that torch imports early stands still, so that the signal comes while it loads.
    slow = "import os, sys, time\nprint('loading', flush=True)\ntime.sleep(60)\n"
    code = (
        "import runpy, sys, types\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        f"            exec({slow!r})\n"
        "sys.meta_path.insert(0, Slow())\n"
        f"sys.argv = ['x', *{rest!r}]\n"
        f"runpy.run_module('harness.{name}', run_name='__main__', alter_sys=False)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "interrupted\n")
