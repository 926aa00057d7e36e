"""One blow from the start of a fresh sweep to the comparison of what it left with the unbroken run."""

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil

from harness.chaos.blow import Blow, Place
from harness.chaos.snapshot import Snapshot, Unit, unkept_messages
from harness.chaos.sweep_process import SweepProcess
from harness.chaos.two_nodes import two_nodes
from harness.sweep.run.statuses import ENDED

PATIENCE = 240.0
"""Seconds for a sweep to end, which takes 20 on a machine that does nothing else: a hang is to be found."""
RESUMES = 4
"""Starts with --resume after which a run that is not finished never will be."""
MISSED = 3
"""Sweeps that may end before their blow comes, each struck in half the time of the one before."""


@dataclass
class Struck:
    """What a blow did: when it came (seconds after `since`), how the sweep ended, what had to be trained again, how long
    the rest took, and what was wrong of what is promised, in sentences."""

    blow: str
    did: str = ""
    moment: float = 0.0
    since: str = "start"
    status: int | None = None
    lost: int = 0
    units: int = 0
    resumes: int = 0
    resumed_s: float = 0.0
    equal: bool = False
    wrong: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.wrong

    def record(self) -> dict[str, Any]:
        """For a line of JSON."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True)
class Unbroken:
    """The unbroken run: what it left, seconds in all, and seconds of training."""

    snapshot: Snapshot
    seconds: float
    training: float


@dataclass(frozen=True)
class Rounds:
    """Where sweeps are run: the YAML, encoded data, and the environment of their processes."""

    yaml: Path
    cache: Path
    environment: Mapping[str, str]

    def start(self, run: Path, *options: str) -> SweepProcess:
        return SweepProcess(self.yaml, run, self.cache, *options, environment=self.environment)

    def _another(self, run: Path, wrapper: Sequence[str], more: Mapping[str, str]) -> SweepProcess:
        """Another sweep at the same time, whose data are encoded beside its run folder."""
        environment = {**self.environment, **more}
        return SweepProcess(self.yaml, run, run.parent / "cache", environment=environment, wrapper=wrapper)

    def reference(self, run: Path) -> Unbroken:
        """Run it unbroken.

        Raises
        ------
        RuntimeError
            where that does not end well: nothing can be compared then.
        """
        sweep = self.start(run)
        sweep.until(lambda: begun(run), PATIENCE)
        idle = sweep.seconds
        if sweep.wait(PATIENCE) != 0:
            sweep.kill()
            raise RuntimeError(f"the unbroken sweep did not end well:\n{sweep.text()[-2000:]}")
        seconds = sweep.seconds
        return Unbroken(Snapshot.of(run), seconds, seconds - idle)

    def strike(self, kind: type[Blow], random: Random, run: Path, reference: Unbroken) -> Struck | None:
        """One blow; None where the sweep ended before it, or there was nothing to break, as often as is tried."""
        span = reference.training if kind.in_training else reference.seconds
        delay = random.uniform(0.0, span)
        for _ in range(MISSED):
            struck = self._try(kind, random, run, reference, delay)
            if struck is not None:
                return struck
            shutil.rmtree(run, ignore_errors=True)
            delay /= 2
        return None

    def _try(
        self, kind: type[Blow], random: Random, run: Path, reference: Unbroken, delay: float
    ) -> Struck | None:
        with contextlib.ExitStack() as stack:
            nodes = stack.enter_context(two_nodes()) if kind.nodes == 2 else None
            second = nodes.second if nodes else list[psutil.Process]
            blow = kind(random, Place(self.yaml.parent, run, second, self._another))
            blow.prepare()
            stack.callback(blow.end)
            options = ["--address", nodes.address] if nodes else []
            sweep = self.start(run, *options)
            stack.callback(sweep.kill)
            if kind.in_training and not sweep.until(lambda: begun(run), PATIENCE):
                raise RuntimeError(f"a sweep that nobody broke ended by itself:\n{sweep.text()[-2000:]}")
            began = sweep.seconds if kind.in_training else 0.0
            sweep.until(lambda: sweep.seconds >= began + delay, delay + 1.0)
            if not sweep.running:
                return None
            struck = Struck(kind.key, moment=sweep.seconds - began)
            struck.since = "first unit" if kind.in_training else "start"
            printed = sweep.text()
            before = Snapshot.of(run)
            did = blow.strike(sweep)
            if did is None:
                return None
            struck.did = did
            after = Snapshot.of(run)
            struck.status = sweep.wait(PATIENCE)
            struck.wrong += unkept_messages(printed, before)
            struck.wrong += ended_wrongly(kind, struck.status, sweep.text())
            blow.clear()
            ended = Snapshot.of(run)
            if struck.status != 0 or not finished(run):
                began_again = time.monotonic()
                self._resume(struck, blow, options)
                struck.resumed_s = time.monotonic() - began_again
            final = Snapshot.of(run)
            self._compare(struck, blow, reference.snapshot, (before, after, ended), final)
            alive = sweep.left(60.0)
            struck.wrong += [f"still running after all: {alive}"] if alive else []
            return struck

    def _resume(self, struck: Struck, blow: Blow, options: list[str]) -> None:
        """Go on as a person does, until the run is finished."""
        for _ in range(RESUMES):
            there = (blow.run / "plan.json").exists()
            sweep = self.start(blow.run, *options, *(["--resume"] if there else []))
            struck.resumes += 1
            try:
                if struck.resumes == 1:
                    blow.meanwhile(sweep)
                status = sweep.wait(PATIENCE)
            finally:
                if sweep.running:
                    sweep.kill()
            if status == 0 and finished(blow.run):
                return
            struck.wrong.append(f"going on ended with status {status}: {last_line(sweep.text())}")
        struck.wrong.append(f"not finished after {RESUMES} starts")

    def _compare(
        self,
        struck: Struck,
        blow: Blow,
        reference: Snapshot,
        earlier: tuple[Snapshot, Snapshot, Snapshot],
        final: Snapshot,
    ) -> None:
        names = ("before the blow", "right after the blow", "when the sweep had ended")
        for name, snapshot in zip(names, earlier, strict=True):
            struck.wrong += [f"{name}: {problem}" for problem in snapshot.problems]
            strange = snapshot.missing_from(reference, blow.spoilt)
            struck.wrong += [
                f"{name} the store had what the unbroken run has not: {each}" for each in strange
            ]
        for name, one, other in zip(names, earlier, (*earlier[1:], final), strict=True):
            gone = one.missing_from(other, blow.spoilt)
            struck.wrong += [f"there {name}, and gone later: {each}" for each in gone]
        struck.wrong += blow.wrong
        for run in blow.beside:
            struck.wrong += [f"the sweep beside it: {each}" for each in Snapshot.of(run).unlike(reference)]
        unlike = final.unlike(reference, blow.spoilt)
        struck.equal = not unlike
        struck.wrong += [f"not bit-equal in the end: {each}" for each in unlike]
        struck.wrong += diverged_wrongly(blow.spoilt, final, reference) if blow.spoilt else []
        again = set[tuple[Unit, int]]().union(*(final.repeated(snapshot) for snapshot in earlier))
        struck.lost, struck.units = len(again), len({unit for unit, _ in again})
        if blow.one_epoch and struck.lost > struck.units:
            struck.wrong.append(f"{struck.lost} epochs of {struck.units} units were trained again")


def begun(run: Path) -> bool:
    """Whether a unit has begun."""
    return any((run / "logs").glob("*.log"))


def finished(run: Path) -> bool:
    """Whether the plan says so, and the store says how every unit ended."""
    try:
        plan = json.loads((run / "plan.json").read_text())
    except FileNotFoundError:
        return False
    statuses = Snapshot.of(run).statuses.values()
    return plan["status"] == "finished" and bool(statuses) and all(status in ENDED for status in statuses)


def ended_wrongly(kind: type[Blow], status: int | None, printed: str) -> Iterator[str]:
    """What is wrong with how a broken sweep ended."""
    if status is None:
        yield f"it neither ended nor went on within {PATIENCE:.0f} s: {last_line(printed)}"
    elif not kind.ends_well(status, printed):
        yield f"it ended with status {status}: {last_line(printed)}"
    if "Traceback" in printed and not kind.in_its_own_words:
        yield f"it ended with a traceback: {last_line(printed)}"


def diverged_wrongly(spoilt: frozenset[Unit], final: Snapshot, reference: Snapshot) -> Iterator[str]:
    """What is wrong with units that were made to diverge: they are one, and their epochs before that are as they were."""
    if len(spoilt) != 1:
        yield f"{len(spoilt)} units diverged"
    others = frozenset(final.statuses) - spoilt
    for name in ("epochs", "terms", "cells"):
        here = {name: final.rows[name]}
        gone = Snapshot(here, {}, {}, []).missing_from(reference, others)
        if gone and name != "cells":
            yield f"the diverged unit: {gone[0]}"


def last_line(printed: str) -> str:
    """The last thing that was said."""
    return next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "(nothing)")[:300]
