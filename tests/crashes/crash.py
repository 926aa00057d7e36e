"""Crashes a scenario at every boundary, and looks at what each crash leaves."""

import hashlib
import json
import os
import re
import shutil
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.crashes.boundaries import Boundaries, Write
from tests.crashes.scenario import Scenario

DRAFT = re.compile(r"^(\..*)\.[0-9a-f]{32}$")
"""Hidden names under which files are written before they get theirs: nothing reads them."""
ON_DRAFTS = ("open", "write", "fsync", "ftruncate")
"""Calls after which no more than a draft is another one."""
MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d+")
"""When and by whom a line of a study's journal was written."""


MANY = 200
"""Crashes of a scenario that a suite of some minutes looks at."""


@dataclass
class Crashed:
    """Boundaries of a scenario, how many of the crashes left different things on disk (each looked at once), files that
    were written past the seam, and what went wrong."""

    boundaries: int
    crashes: int
    states: int
    unseen: list[str]
    wrong: list[str]


def crash(scenario: Scenario, folder: Path, processes: int = 2, *, every: bool = False) -> Crashed:
    """Try every boundary, and half of every write: a kill leaves what is on disk then, which is copied, looked at and gone
    on with; equal states once. Unless `every` is asked for, a crash that leaves no more than another draft is left out:
    nothing reads drafts, which `every` shows; and of a scenario with MANY crashes every third one is looked at."""
    template, whole = folder / "template", folder / "whole"
    template.mkdir(parents=True)
    scenario.prepare(template)
    shutil.copytree(template, whole)
    names, unseen = _crashes(scenario, whole, every=every)
    expected = scenario.content(whole)
    tries = sorted(path for path in folder.iterdir() if path.name[0].isdigit() and path.is_dir())
    if len(tries) > MANY and not every:
        tries = tries[::3]
    files = [folder / f"wrong-{number}.jsonl" for number in range(processes)]
    children = []
    for number, file in enumerate(files):
        child = os.fork()
        if child == 0:
            _guarded(partial(_look, scenario, tries[number::processes], names, expected, file))
        children.append(child)
    ended = [os.waitpid(child, 0)[1] for child in children]
    said = [json.loads(line) for file in files if file.exists() for line in file.read_text().splitlines()]
    wrong = [each["wrong"] for each in said if each["wrong"]]
    wrong += [f"a process that looks at crashes ended with {status}" for status in ended if status]
    return Crashed(len(names), len(tries), len({each["state"] for each in said}), unseen, wrong)


class Crashes:
    """Visits boundaries, and keeps what a kill there would leave: a copy of the folder beside it, and another in which the
    first half of a write is on disk, with what was told by then."""

    def __init__(self, folder: Path, *, every: bool) -> None:
        self.folder, self.every = folder, every
        self.told: list[str] = []
        self._before, self._half_draft = "", False

    def visit(self, at: int, name: str, write: Write | None) -> None:
        before, self._before = self._before, name
        if self.every or not (before.split(" ")[0] in ON_DRAFTS and DRAFT.match(Path(before).name)):
            self._keep(f"{at:04d}")
        draft = DRAFT.match(Path(name).name) is not None
        # A nameless file leaves nothing behind.
        named = write is not None and (self.folder / write[0]).exists()
        if write is not None and named and (self.every or not draft or not self._half_draft):
            path, position, data = write
            with (self._keep(f"{at:04d}-half") / path).open("r+b") as stream:
                stream.seek(position)
                stream.write(data[: len(data) // 2])
            self._half_draft |= draft

    def _keep(self, name: str) -> Path:
        copy = self.folder.with_name(name)
        shutil.copytree(self.folder, copy, symlinks=True)
        copy.with_suffix(".told").write_text(json.dumps(self.told))
        return copy


def _crashes(scenario: Scenario, folder: Path, *, every: bool) -> tuple[list[str], list[str]]:
    """Names of all boundaries, and files that came to be without being opened through the seam."""
    before = {path.stat().st_ino for path in folder.rglob("*")}
    report = folder.with_name("report.json")
    child = os.fork()
    if child == 0:

        def act() -> None:
            crashes = Crashes(folder, every=every)
            seam = Boundaries(folder, crashes.visit)
            seam.install()
            scenario.act(folder, crashes.told.append)
            there = [path for path in folder.rglob("*") if path.is_file()]
            unseen = [path for path in there if path.stat().st_ino not in seam.opened | before]
            report.write_text(json.dumps([seam.names, [str(path.relative_to(folder)) for path in unseen]]))

        _guarded(act)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the scenario fails without a crash")
    names, unseen = json.loads(report.read_text())
    return names, unseen


def _look(scenario: Scenario, folders: list[Path], names: list[str], expected: object, file: Path) -> None:
    with file.open("w") as stream:
        for folder in folders:
            told = json.loads(folder.with_suffix(".told").read_text())
            state = _state(folder, told)
            wrong = (
                _checked(scenario, folder, told, expected) if _first(folder.parent / "states", state) else ""
            )
            at = int(folder.name[:4])
            place = (
                f"killed {'in the midst of' if folder.name.endswith('half') else 'before'} {at} ({names[at]})"
            )
            stream.write(json.dumps({"state": state, "wrong": wrong and f"{place}: {wrong}"}) + "\n")
            stream.flush()
            if not wrong:
                shutil.rmtree(folder)


def _first(folder: Path, state: str) -> bool:
    """Whether no process has looked at this state before."""
    folder.mkdir(exist_ok=True)
    try:
        (folder / state).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


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
    try:
        work()
    except BaseException:  # noqa: BLE001  # nothing may get out of a process that was forked
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
