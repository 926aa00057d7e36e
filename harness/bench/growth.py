"""What a trial costs the driver in processor time, and leaves behind in its memory, with 10 of them and with thousands."""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil

from harness.bench.measurement import Measurement, Time
from harness.bench.stub import StubExecutor
from harness.bench.trials import ROOT, SETTINGS, SYNTHETIC
from harness.store.compaction import AT_ONCE

THROUGH_RAY = (10, 100)
STUBBED = 5000
LIMIT = 20.0
"""KiB of memory that a trial may leave behind in the driver, beyond Ray's own."""
ENOUGH = 500
"""Trials from which on that is asked for: the first hundred also load what is used for the first time."""
BEYOND = "KiB of memory per trial beyond Ray's own"
MIB, KIB = 2**20, 2**10


class Moment(NamedTuple):
    """A process when so many trials had ended: seconds on the clock and of its processor time, bytes in memory."""

    ended: int
    wall: float
    cpu: float
    resident: int

    @classmethod
    def of(cls, process: psutil.Process, ended: int) -> "Moment":
        """As it is now; processor time of another process comes in the system's ticks of some 10 ms."""
        if process.pid == os.getpid():
            used = time.process_time()
        else:
            times = process.cpu_times()
            used = times.user + times.system
        return cls(ended, time.monotonic(), used, process.memory_info().rss)


def bench_growth(trials: int, *, ray: bool) -> Measurement:
    """The driver over `trials` configurations of one unit: through Ray, or fed by a loop in Ray's place (`StubExecutor`).

    As the plain way the same number through Ray Tune alone (`harness.bench.bare_tune`); of a fed driver the second tenth
    of its trials, against the last one. Taken from the end of the first tenth on, so that nothing of a start is in it;
    through Ray, where there are several times as many, after the first part of the store is written, for which some 50 MiB
    are loaded once.
    """
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place:
        if ray:
            driven, plain = _watched(_sweep(Path(place), trials)), _watched(_bare(Path(place), trials))
            base, base_said = _kib(plain), "Ray Tune alone"
        else:
            driven = _fed(Path(place), trials)
            plain, base, base_said = driven[:2], 0.0, "the second tenth of its trials"
    grown = _kib(driven) - base
    return Measurement(
        name=f"driver {'through Ray' if ray else 'fed by a loop'}, {trials} trials",
        plain=_per_trial(plain),
        fast=_per_trial(driven if ray else driven[-2:]),
        required=None,
        differences={BEYOND: grown},
        limits={BEYOND: LIMIT} if trials >= ENOUGH else {},
        notes={
            "KiB per trial": _kib(driven),
            **({"KiB per trial of Ray Tune alone": base} if ray else {}),
            "MiB of the driver at the end": driven[-1].resident / MIB,
            "processor s of the driver in all": driven[-1].cpu,
            "times": "per trial",
            "plain way": base_said,
            "load": os.getloadavg()[0],
        },
    )


def _kib(moments: Sequence[Moment]) -> float:
    first, last = moments[0], moments[-1]
    return (last.resident - first.resident) / KIB / (last.ended - first.ended)


def _per_trial(moments: Sequence[Moment]) -> Time:
    first, last = moments[0], moments[-1]
    return Time(last.wall - first.wall, last.cpu - first.cpu).times(1 / (last.ended - first.ended))


def _fed(folder: Path, trials: int) -> list[Moment]:
    """Moments of a process of its own after every tenth of the trials."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_feed, folder, trials).result()


def _feed(folder: Path, trials: int) -> list[Moment]:
    executor, process, moments = StubExecutor(folder, trials, "random"), psutil.Process(), []
    for _ in range(10):
        executor.run(trials // 10)
        moments.append(Moment.of(process, len(executor.trials)))
    return moments


def _sweep(folder: Path, trials: int) -> list[str]:
    content = {
        "name": "bench",
        "base": "minimal",
        "data": {"synthetic": SYNTHETIC},
        "trial": {"seeds": 1},
        "set": SETTINGS,
        "space": {"optimiser.lr": {"grid": [0.001 + 0.00001 * n for n in range(trials)]}},
        "design": "grid",
    }
    (folder / "bench.yaml").write_text(json.dumps(content))
    command = ["harness.sweep", str(folder / "bench.yaml"), "--out", str(folder / "run")]
    return [*command, "--cache", str(folder / "cache")]


def _bare(folder: Path, trials: int) -> list[str]:
    return ["harness.bench.bare_tune", str(folder / "bare"), str(trials)]


def _watched(command: Sequence[str]) -> list[Moment]:
    """Moments of a process that writes a line beginning with `done` per trial: from the end of the first tenth on."""
    moments: list[Moment] = []
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-u", "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith("done"):
                moments.append(Moment.of(psutil.Process(process.pid), len(moments) + 1))
    if process.returncode or len(moments) < 2:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {''.join(said[-20:])}")
    return moments[begin(len(moments)) :]


def begin(trials: int) -> int:
    """Trials that have ended where the measurement begins: a tenth, or those of a part and a tenth more."""
    parted = AT_ONCE + AT_ONCE // 10
    return parted if trials > 3 * parted else trials // 10
