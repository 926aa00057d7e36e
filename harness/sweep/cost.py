"""What a sweep will cost, from a few real steps of its base configuration on its data."""

import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch
from rich.console import Console

from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.store.writer import RunWriter
from harness.trial.episodes.sampler import build_sampler
from harness.trial.unit_run import UnitRun

STEPS = 6
"""Steps that are measured in each phase of the curriculum."""
TWIN_STEPS = 40
"""Steps, at most, that the audit takes beside those of a trial to tell what its mechanisms do."""
PATIENCE = 2.0
"""Seconds after which a person is told what is going on."""


@dataclass(frozen=True)
class Phase:
    """`epochs` of a phase of the curriculum, each of `steps` of so many seconds and `evaluation` seconds after them."""

    epochs: int
    steps: int
    step: float
    evaluation: float

    @property
    def trained(self) -> float:
        """Seconds of the steps of one epoch."""
        return self.steps * self.step

    @property
    def seconds(self) -> float:
        return self.epochs * (self.steps * self.step + self.evaluation)


@dataclass(frozen=True)
class UnitCost:
    """Of one unit of the base configuration: its `phases`, the `end` (last evaluation), and of its trial the `audit`."""

    phases: tuple[Phase, ...]
    end: float
    audit: float

    @property
    def seconds(self) -> float:
        """Of a unit, in a worker of its own."""
        return sum(phase.seconds for phase in self.phases) + self.end

    def trial(self, seeds: int) -> float:
        """Seconds of a trial, whose seeds take turns in one worker."""
        return seeds * self.seconds + self.audit if seeds else 0.0

    def sentence(self) -> str:
        """`0.021 s a step x 28 + 0.31 s evaluation an epoch`, the phases one by one."""
        said = [
            f"{phase.step:.3g} s a step x {phase.steps} steps + {phase.evaluation:.2g} s an epoch (x {phase.epochs})"
            for phase in self.phases
        ]
        return "; then ".join(said)


@dataclass(frozen=True)
class Workers:
    """How many trials run at once, with how many threads each, and where."""

    count: int
    threads: int
    where: str

    def wall(self, trials: int, seconds: float) -> float:
        """Seconds of `trials` that take `seconds` each: they start in waves."""
        return -(-trials // self.count) * seconds


def workers_of(
    *, cpus: float, gpus: float, cpus_per_trial: float, share: float, concurrent: int | None, where: str
) -> Workers:
    """As many as the machine, or the cluster, holds now, at least one."""
    fits = [cpus / cpus_per_trial, *([gpus / share] if share else []), *([concurrent] if concurrent else [])]
    return Workers(max(1, int(min(fits))), max(1, int(cpus_per_trial)), where)


def this_host() -> str:
    """Name and processors of this machine."""
    return f"{platform.node()} ({os.cpu_count()} CPUs)"


def measure(
    config: ConfigurationBlock,
    dataset: EncodedDataset,
    fold: Fold,
    *,
    device: str,
    threads: int,
    console: Console,
    objective: str,
) -> UnitCost:
    """Train the base configuration for a few steps of each phase in a folder that is then removed, without an audit.

    Raises
    ------
    UserError
        where the fold cannot serve the configuration.
    """
    phases = [n for n in (config.curriculum.phase1_epochs, config.optimiser.epochs) if n > 0]
    whole = [min(phases[0], config.optimiser.epochs)]
    if len(phases) > 1 and phases[0] < config.optimiser.epochs:
        whole.append(config.optimiser.epochs - phases[0])
    short = config.model_copy(
        update={
            "optimiser": config.optimiser.model_copy(
                update={"epochs": len(whole) + 1, "steps_per_epoch": STEPS}
            ),
            "curriculum": config.curriculum.model_copy(update={"phase1_epochs": len(phases) - 1}),
        }
    )
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    told = _Telling(console)
    try:
        with tempfile.TemporaryDirectory() as folder:
            unit = UnitRun(
                short, dataset, fold, 0, RunWriter(Path(folder)), device=device, objective=objective
            )
            steps = _steps(config, unit)
            costs = []
            for epochs in whole:
                if unit.finished:
                    break
                costs.append(_phase(unit, epochs, steps, told))
            began = time.perf_counter()
            if not unit.finished:
                unit.close("done")
            end = time.perf_counter() - began
    finally:
        torch.set_num_threads(before)
    audit = TWIN_STEPS * costs[-1].step if config.audit != "off" else 0.0
    return UnitCost(tuple(costs), end, audit)


def _phase(unit: UnitRun, epochs: int, steps: int, told: Callable[[], None]) -> Phase:
    moments = [time.perf_counter()]

    def on_step(done: int, total: int) -> None:
        moments.append(time.perf_counter())
        told()

    unit.advance(on_step)
    wall = time.perf_counter() - moments[0]
    times = [after - before for before, after in pairwise(moments)]
    # The first step warms up, and the last one measures the gradients of every term as well.
    step = median(times[1:-1] or times)
    return Phase(epochs, steps, step, max(0.0, wall - moments[-1] + moments[0] + max(0.0, times[-1] - step)))


def _steps(config: ConfigurationBlock, unit: UnitRun) -> int:
    """Steps of an epoch of the configuration as it is."""
    return build_sampler(config, unit.sampler.pools, unit.trained, 0).steps


class _Telling:
    """Says once, when it takes long, what is being measured."""

    def __init__(self, console: Console) -> None:
        self.console, self.began, self.said = console, time.perf_counter(), False

    def __call__(self) -> None:
        if not self.said and time.perf_counter() - self.began > PATIENCE:
            self.said = True
            self.console.print("measuring steps of the base configuration ...", style="dim", highlight=False)
