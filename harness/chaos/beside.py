"""A second sweep on the same machine at the same time."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.chaos.blow import Blow
from harness.chaos.sweep_process import SweepProcess

REFUSED = "another sweep is running in this folder"
NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
NOBODY = 65534
READING = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
"""Another user may not look into the folder of an interpreter below root's home; it is to read, and not to write."""
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *READING)
PATIENCE = 240.0
"""Seconds for the second sweep to end."""


class Beside(Blow):
    """Another sweep of the same YAML in a folder of its own, in the same folder for temporary files."""

    statuses = frozenset({0})
    other: SweepProcess | None = None
    place_of_other: Path | None = None

    def begin(self, *wrapper: str) -> None:
        """Start it, in a folder that everybody may write to."""
        self.place_of_other = Path(tempfile.mkdtemp(prefix="beside-"))
        self.place_of_other.chmod(0o777)
        run = self.place_of_other / "run"
        self.beside = [run]
        self.other = self.place.start(run, wrapper, {"HOME": str(self.place_of_other)})

    def clear(self) -> None:
        if self.other is not None:
            status = self.other.wait(PATIENCE)
            if status != 0:
                self.wrong.append(f"the sweep beside it ended with {status}: {self.other.text()[-300:]}")

    def end(self) -> None:
        if self.other is not None and self.place_of_other is not None:
            self.other.kill()
            shutil.rmtree(self.place_of_other, ignore_errors=True)


class InItsFolder(Blow):
    """Another sweep in the very folder: it is refused, and touches nothing."""

    key, meaning = "folder", "a second sweep is started in the same folder: one sentence"
    statuses = frozenset({0})

    def strike(self, sweep: SweepProcess) -> str | None:
        other = self.place.start(self.run, (), {})
        status = other.wait(PATIENCE)
        if sweep.running and (status != 2 or REFUSED not in other.text() or "Traceback" in other.text()):
            self.wrong.append(f"the second sweep ended with {status}: {other.text()[-300:]}")
        return "a second sweep in the same folder" if REFUSED in other.text() else None


class InItsNamespace(Beside):
    """Another sweep in another namespace of processes, where neither sees the other's."""

    key, meaning = "namespace", "a second sweep runs in another PID namespace over the same /tmp"

    @classmethod
    def impossible(cls) -> str:
        if (
            shutil.which("unshare")
            and not subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode
        ):
            return ""
        return "this user may not make a namespace of processes (unshare)"

    def strike(self, sweep: SweepProcess) -> str | None:
        self.begin(*NAMESPACE)
        return "a second sweep in another PID namespace"


class UnderAnotherUser(Beside):
    """Another sweep of another user."""

    key, meaning = "user", "a second sweep runs as another user (nobody)"

    @classmethod
    def impossible(cls) -> str:
        if os.getuid() or not shutil.which("setpriv"):
            return "only root may start one as another user"
        tried = [
            *AS_NOBODY,
            sys.executable,
            "-c",
            "import subprocess, sys, harness.sweep; subprocess.check_call([sys.executable, '-c', ''])",
        ]
        if subprocess.run(tried, capture_output=True, cwd=Path(__file__).parents[2]).returncode:
            return "another user may not run this interpreter or read its packages"
        return ""

    def strike(self, sweep: SweepProcess) -> str | None:
        self.begin(*AS_NOBODY)
        return "a second sweep of another user"
