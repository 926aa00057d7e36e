"""The command that a run was started with, as somebody would type it again."""

import shlex
from pathlib import Path

from analysis.schema import PROVENANCE
from analysis.store import Run

SWEEP = "harness.sweep"
"""The command that knows the options of going on."""


def started_with(run: Run) -> list[str]:
    """Words of the command of the run's last start, `python` in place of one machine's interpreter; empty where none is
    known."""
    command = [str(word) for word in run.document(PROVENANCE).get("command") or ()]
    return ["python", *command[1:]] if command and Path(command[0]).name.startswith("python") else command


def going_on(run: Run, *options: str) -> str:
    """That command with these options too; empty where it was not a sweep's."""
    command = started_with(run)
    if SWEEP not in command:
        return ""
    return shlex.join([*command, *(option for option in options if option not in command)])
