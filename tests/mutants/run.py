"""Running the tests of a mutant in a copy of the working tree."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.mutants.mutant import Mutant, MutantError

LONGEST = 120.0
"""Seconds after which the tests of a mutant are ended; it then survives."""
FAILED = 1
"""Status of pytest where tests ran and some failed."""


@dataclass(frozen=True)
class Outcome:
    """Whether a mutant died, by which test and message, or why not; and the seconds that it took."""

    mutant: Mutant
    died: bool
    reason: str
    seconds: float


def copy_tree(root: Path, copy: Path) -> Path:
    """The files that git tracks or would track, as they are in the working tree."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, copy / name)
    return copy


def outcome(mutant: Mutant, copy: Path) -> Outcome:
    """Apply a mutant to the copy, run its tests there, and put the copy back.

    It dies where a test of it fails by an assertion. Raises MutantError where the tests could not be collected.
    """
    path, before = mutant.apply(copy)
    began = time.monotonic()
    report = copy / "mutant.xml"
    report.unlink(missing_ok=True)
    try:
        status, text = _pytest(mutant, copy, report)
    finally:
        path.write_text(before, encoding="utf-8")
    seconds = time.monotonic() - began
    if status is None:
        return Outcome(mutant, False, f"its tests did not end within {LONGEST:.0f} s", seconds)
    if status not in (0, FAILED):
        raise MutantError(f"mutant {mutant.name}: its tests could not run (status {status}): {text[-800:]}")
    failures = list(_failures(report))
    for test, message in failures:
        if by_assertion(message):
            return Outcome(mutant, True, f"{test}: {message.splitlines()[0][:100]}", seconds)
    others = f" ({failures[0][0]}: {failures[0][1][:100]})" if failures else ""
    return Outcome(mutant, False, f"no test of it fails by an assertion{others}", seconds)


def by_assertion(message: str) -> bool:
    """Whether a failure says that something is not as expected, rather than that the code does not run."""
    return message.startswith(("assert ", "AssertionError", "Failed: DID NOT"))


def _pytest(mutant: Mutant, copy: Path, report: Path) -> tuple[int | None, str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
    ]
    try:
        done = subprocess.run(
            [*command, f"--junitxml={report}", *mutant.tests],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def _failures(report: Path) -> list[tuple[str, str]]:
    """(name of the test, message) of every test that failed, in order."""
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return [
        (str(case.get("name")), str(failure.get("message")))
        for case in cases
        for failure in case.findall("failure")
    ]
