"""Crashes a scenario at every boundary, each in a process of its own, and looks at what is left."""

import hashlib
import json
import os
import re
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.crashes.boundaries import KILLED, Boundaries
from tests.crashes.scenario import Scenario

DRAFT = re.compile(r"^(\..*)\.[0-9a-f]{32}$")
"""Hidden names under which files are written before they get theirs: nothing reads them."""
MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d+")
"""When and by whom a line of a study's journal was written."""


@dataclass
class Crashed:
    """Boundaries of a scenario, how many of the crashes left different things on disk (each looked at once), files that
    were written past the seam, and what went wrong."""

    boundaries: int
    crashes: int
    states: int
    unseen: list[str]
    wrong: list[str]


def crash(scenario: Scenario, folder: Path, processes: int = 2) -> Crashed:
    """Try every boundary, and half of every write; equal states on disk are looked at once."""
    template = folder / "template"
    template.mkdir(parents=True)
    scenario.prepare(template)
    whole = folder / "whole"
    shutil.copytree(template, whole)
    names, unseen = _unbroken(scenario, whole)
    expected = scenario.content(whole)
    tries = [(at, False) for at in range(len(names))]
    tries += [(at, True) for at, name in enumerate(names) if name.startswith("write ")]
    files = [folder / f"wrong-{number}.jsonl" for number in range(processes)]
    children = []
    for number, file in enumerate(files):
        child = os.fork()
        if child == 0:
            _guarded(
                lambda n=number, f=file: _look(
                    scenario, folder, template, tries[n::processes], names, expected, f
                )
            )  # type: ignore[misc]
        children.append(child)
    ended = [os.waitpid(child, 0)[1] for child in children]
    said = [json.loads(line) for file in files if file.exists() for line in file.read_text().splitlines()]
    wrong = [each["wrong"] for each in said if each["wrong"]]
    wrong += [f"a process that looks at crashes ended with {status}" for status in ended if status]
    return Crashed(len(names), len(tries), len({each["state"] for each in said}), unseen, wrong)


def _unbroken(scenario: Scenario, folder: Path) -> tuple[list[str], list[str]]:
    """Names of all boundaries, and files that came to be without being opened through the seam."""
    before = {path.stat().st_ino for path in folder.rglob("*")}
    report = folder.with_name("report.json")
    child = os.fork()
    if child == 0:

        def act() -> None:
            seam = Boundaries(folder)
            seam.install()
            scenario.act(folder, lambda said: None)
            there = [path for path in folder.rglob("*") if path.is_file()]
            unseen = [path for path in there if path.stat().st_ino not in seam.opened | before]
            report.write_text(json.dumps([seam.names, [str(path.relative_to(folder)) for path in unseen]]))

        _guarded(act)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the scenario fails without a crash")
    names, unseen = json.loads(report.read_text())
    return names, unseen


def _look(
    scenario: Scenario,
    folder: Path,
    template: Path,
    tries: list[tuple[int, bool]],
    names: list[str],
    expected: object,
    file: Path,
) -> None:
    seen = set()
    with file.open("w") as stream:
        for at, half in tries:
            there = folder / f"{at:04d}{'-half' if half else ''}"
            told = _killed(scenario, template, there, at, half=half)
            state = _state(there, told)
            wrong = "" if state in seen else _checked(scenario, there, told, expected)
            seen.add(state)
            place = f"killed {'in the midst of' if half else 'before'} {at} ({names[at]})"
            stream.write(json.dumps({"state": state, "wrong": wrong and f"{place}: {wrong}"}) + "\n")
            if not wrong:
                shutil.rmtree(there)


def _killed(scenario: Scenario, template: Path, folder: Path, at: int, *, half: bool) -> list[str]:
    """Let a process of its own die at a boundary; what it had told by then."""
    shutil.copytree(template, folder)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:

        def act() -> None:
            Boundaries(folder, at, half=half).install()
            scenario.act(folder, told)

        def told(said: str) -> None:
            os.write(writing, said.encode() + b"\n")

        os.close(reading)
        _guarded(act)
    os.close(writing)
    with os.fdopen(reading) as stream:
        heard = stream.read().splitlines()
    status = os.waitpid(child, 0)[1]
    if os.waitstatus_to_exitcode(status) != KILLED:
        raise RuntimeError(
            f"boundary {at} was not reached: the scenario is not the same each time ({status})"
        )
    return heard


def _checked(scenario: Scenario, folder: Path, told: list[str], expected: object) -> str:
    """What is wrong with what a crash left, or with what going on makes of it; empty for nothing."""
    for what, work in _steps(scenario, folder, told, expected):
        try:
            work()
        except Exception as error:  # noqa: BLE001  # whatever goes wrong is what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            return f"{what}: {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"[
                :800
            ]
    return ""


def _steps(
    scenario: Scenario, folder: Path, told: list[str], expected: object
) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "reading at that instant", lambda: scenario.readable(folder, told)
    yield "going on", lambda: scenario.again(folder)

    def same() -> None:
        reached = scenario.content(folder)
        assert reached == expected, _difference(reached, expected)

    yield "comparing the end", same


def _difference(reached: object, expected: object) -> str:
    if isinstance(reached, dict) and isinstance(expected, dict):
        for key in [*expected, *(reached.keys() - expected.keys())]:
            if reached.get(key) != expected.get(key):
                return f"{key}: {str(reached.get(key))[:300]} instead of {str(expected.get(key))[:300]}"
    return f"{str(reached)[:300]} instead of {str(expected)[:300]}"


def _state(folder: Path, told: list[str]) -> str:
    """Hash of all that is on disk: drafts by the name that they are for, a study without its moments."""
    total = hashlib.sha256(json.dumps(told).encode())
    for path in sorted(folder.rglob("*")):
        draft = DRAFT.match(path.name)
        total.update(f"{path.parent.relative_to(folder)}/{draft[1] if draft else path.name}\n".encode())
        if path.is_file() and not draft:
            data = path.read_bytes()
            total.update(hashlib.sha256(MOMENT.sub(b"", data) if "studies" in path.parts else data).digest())
    return total.hexdigest()


def _guarded(work: Callable[[], None]) -> None:
    """Do the work of a forked process, and end it there."""
    signal.alarm(120)
    try:
        work()
    except BaseException:  # noqa: BLE001  # nothing may get out of a process that was forked
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
