"""A command with all processes that come of it: what it said, its time on the clock, and the processor time of all."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import psutil

from harness.bench.measurement import Time
from harness.bench.trials import ROOT

GLANCE = 0.25
"""Seconds between looks at the processes; of one that ends, what it used after the last look is missed."""


def run_module(command: Sequence[str]) -> tuple[Time, str]:
    """`python -m` of a module with its arguments.

    Raises RuntimeError with its last lines where it does not end with status 0.
    """
    began, used = time.perf_counter(), dict[tuple[int, float], float]()
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(psutil.Process(process.pid), used, ended))
        watch.start()
        said, _ = process.communicate()
        wall = time.perf_counter() - began
        ended.set()
        watch.join()
    if process.returncode:
        lines = "\n".join(said.splitlines()[-20:])
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}: {lines}")
    return Time(wall, sum(used.values())), said


def _watch(root: psutil.Process, used: dict[tuple[int, float], float], ended: threading.Event) -> None:
    """Keep the processor seconds of a process and of all below it, by process."""
    while not ended.wait(GLANCE):
        try:
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for process in family:
            try:
                times = process.cpu_times()
                used[process.pid, process.create_time()] = times.user + times.system
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
