"""A sweep in a process of its own: what it prints, and the processes that it started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Ray's own helpers, which try for up to a minute to tell a dead cluster that they end."""


class SweepProcess:
    """`WRAPPER python -m harness.sweep YAML --out RUN ...`, started on construction; what it prints goes to a file beside
    RUN."""

    def __init__(
        self,
        yaml: Path,
        run: Path,
        cache: Path,
        *options: str,
        environment: Mapping[str, str],
        wrapper: Sequence[str] = (),
    ) -> None:
        self.run = run
        self.printed = run.parent / f"{run.name}-{time.monotonic_ns()}.txt"
        command = [
            *wrapper,
            sys.executable,
            "-m",
            "harness.sweep",
            str(yaml),
            "--out",
            str(run),
            "--cache",
            str(cache),
        ]
        self.began = time.monotonic()
        with self.printed.open("w") as stream:
            # A session of its own: a signal to the terminal of this program is not one to the sweep.
            self.process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self._seen: dict[int, psutil.Process] = {}

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.began

    def text(self) -> str:
        """What it has printed so far."""
        return self.printed.read_text(encoding="utf-8", errors="replace")

    def family(self) -> list[psutil.Process]:
        """The driver and the processes below it, with those seen before that are still there."""
        with contextlib.suppress(psutil.NoSuchProcess):
            driver = psutil.Process(self.process.pid)
            for process in (driver, *driver.children(recursive=True)):
                self._seen[process.pid] = process
        return [process for process in self._seen.values() if process.is_running()]

    def workers(self) -> list[psutil.Process]:
        """Ray workers that train at this moment."""
        return [process for process in self.family() if ".train" in title(process)]

    def of_ray(self, name: str) -> list[psutil.Process]:
        """Ray's own processes of a name: raylet, gcs_server."""
        return [process for process in self.family() if name in _name(process)]

    def until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Whether the condition came true before the sweep ended or time ran out."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            if not self.running:
                return bool(condition())
            time.sleep(0.02)
        return False

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None where it is still running after that time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it and all that it started, now."""
        for process in self.family():
            send(process, signal.SIGKILL)
        self.process.wait()

    def left(self, seconds: float) -> list[psutil.Process]:
        """Processes of it that are still there after that time, Ray's helpers apart."""
        # The driver is this process's child, and nobody else may ask how it ended.
        self.wait(seconds)
        driver = self.process.pid
        others = [each for each in self.family() if each.pid != driver and not _is_agent(each)]
        _, alive = psutil.wait_procs(others, timeout=seconds)
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def title(process: psutil.Process) -> str:
    """What `ps` shows of a process; empty where it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def send(process: psutil.Process, number: int) -> bool:
    """Send a signal; False where the process has ended before."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def _is_agent(process: psutil.Process) -> bool:
    return _name(process) in AGENTS or "monitor.py" in title(process)
