"""What a GPU gains: bfloat16 against float32, a stack of seeds against one after the other, trials at once on one GPU."""

import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.bench.measurement import Measurement, Time, alternate, relative_norm
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.device import exact_float32
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.stack import Stack
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun

STACKED = 4.0
"""Ratio that a stack of REPLICATES has to reach."""
REPLICATES, STEPS, ROUNDS, COMPARED = 8, 8, 5, 3
AT_ONCE, PACKED_STEPS = 4, 40
CLOSE = 1e-4
"""Difference of parameters after COMPARED steps that rounding may make: AdamW's first steps divide by little."""
TINY: Mapping[str, Any] = {
    "model": {"encoder": "cnn", "embedding": 4, "kernel": 5, "width": 8, "pool": 12},
    "support": {"size": 8},
    "episode": {"query": 16},
}
NAMES = (
    "bf16, step at documented sizes",
    f"stack of {REPLICATES} seeds, step",
    f"{AT_ONCE} trials on one GPU",
)


def bench_gpu(device: torch.device, *, quick: bool) -> Iterator[Measurement]:
    """Three measurements; of what is faster on a GPU alone, without times where there is none. `quick`: tiny sizes."""
    if device.type != "cuda":
        for name, required in zip(NAMES, (None, STACKED, None), strict=True):
            yield Measurement.without(
                name, required, f"it is for a GPU, and this is a bench of {device.type}"
            )
        return
    yield bench_precision(device, quick=quick)
    yield bench_stack(device, quick=quick)
    yield bench_packing(device, quick=quick)


@dataclass(frozen=True)
class Site:
    """Data that replicates train on, and where their units are."""

    dataset: EncodedDataset
    fold: Fold
    folder: Path
    device: torch.device

    @classmethod
    def at(cls, folder: Path, config: ConfigurationBlock, device: torch.device) -> "Site":
        data = DataBlock(synthetic=SyntheticBlock())
        enhancer_bp, promoter_bp = config.model.enhancer_bp, config.model.promoter_bp
        assert enhancer_bp is not None
        assert promoter_bp is not None
        dataset = open_dataset(
            data, enhancer_bp=enhancer_bp, promoter_bp=promoter_bp, cache=folder / "data", progress=False
        )
        return cls(dataset, make_folds(dataset, data)[0], folder, device)

    def unit(self, config: ConfigurationBlock, seed: int, run: str) -> UnitRun:
        writer = RunWriter(self.folder / run)
        return UnitRun(config, self.dataset, self.fold, seed, writer, device=self.device.type)


def configuration(quick: bool, changes: Mapping[str, Any], *, documented: bool = False) -> ConfigurationBlock:
    """A configuration of default settings at small or documented sizes (`quick`: tiny), that nobody audits."""
    start: Mapping[str, Any] = TINY if quick else {}
    fixed = {"audit": "off", "optimiser.steps_per_epoch": STEPS}
    return compose(start, {**fixed, **changes}).resolved(gpu=documented and not quick)


def bench_precision(
    device: torch.device, *, quick: bool, changes: Mapping[str, Any] | None = None
) -> Measurement:
    """A whole training step of one trainer, `model.precision` float32 and bf16."""
    exact = configuration(quick, changes or {}, documented=True)
    half = configuration(quick, {**(changes or {}), "model.precision": "bf16"}, documented=True)
    with tempfile.TemporaryDirectory() as folder:
        site = Site.at(Path(folder), exact, device)
        units = [site.unit(config, 0, name) for name, config in (("float32", exact), ("bf16", half))]
        batches = list(units[0].sampler.epoch(1))
        u = [unit.trainer.measure(batches[0], warm=False).step.u.detach() for unit in units]

        def steps(unit: UnitRun) -> None:
            for batch in batches:
                unit.trainer.step(batch, progress=0.0, probe=False)

        times = alternate(
            lambda: steps(units[0]),
            lambda: steps(units[1]),
            plain_rounds=ROUNDS,
            fast_rounds=ROUNDS,
            device=device,
        )
    plain, fast = (each.times(1.0 / len(batches)) for each in times)
    pairs = _pairs(batches[0])
    notes = {
        "pairs per step": pairs,
        "float32 samples per s": pairs / plain.wall,
        "bf16 samples per s": pairs / fast.wall,
    }
    apart = {"U_I before any step, norm": relative_norm([u[1]], [u[0]])}
    return Measurement(NAMES[0], plain, fast, None, (ROUNDS, ROUNDS), apart, notes=notes)


def bench_stack(
    device: torch.device, *, quick: bool, changes: Mapping[str, Any] | None = None, size: int = REPLICATES
) -> Measurement:
    """A step of each of `size` seeds: one after the other against one stack. Parameters are compared after a few steps;
    times are of all seeds."""
    config = configuration(quick, changes or {})
    with tempfile.TemporaryDirectory() as folder:
        site = Site.at(Path(folder), config, device)
        alone, together = (
            [site.unit(config, seed, run) for seed in range(size)] for run in ("separate", "stacked")
        )
        batches = [list(unit.sampler.epoch(1)) for unit in alone]
        turns = [[of_seed[number] for of_seed in batches] for number in range(len(batches[0]))]
        stack = Stack([unit.trainer for unit in together])
        for turn in turns[:COMPARED]:
            _separately([unit.trainer for unit in alone], turn)
            stack.step(turn, progress=0.0, probe=False)
        parameters = [[_flat(unit.trainer) for unit in units] for units in (together, alone)]
        apart = {f"parameters after {COMPARED} steps, norm": relative_norm(*parameters)}

        def separate() -> None:
            for turn in turns:
                _separately([unit.trainer for unit in alone], turn)

        def stacked() -> None:
            for turn in turns:
                stack.step(turn, progress=0.0, probe=False)

        times = alternate(separate, stacked, plain_rounds=ROUNDS, fast_rounds=ROUNDS, device=device)
    plain, fast = (each.times(1.0 / len(turns)) for each in times)
    samples = size * _pairs(turns[0][0])
    notes = {"separate samples per s": samples / plain.wall, "stacked samples per s": samples / fast.wall}
    limits = dict.fromkeys(apart, CLOSE)
    return Measurement(NAMES[1], plain, fast, STACKED, (ROUNDS, ROUNDS), apart, limits, notes)


def bench_packing(device: torch.device, *, quick: bool) -> Measurement:
    """Training steps of AT_ONCE processes on one GPU, one process after the other against all at once; starting them is not
    counted."""
    config = configuration(quick, {})
    with tempfile.TemporaryDirectory() as folder:
        Site.at(Path(folder), config, device)
        one = max(_at_once(1, folder, quick))
        all_of_them = max(_at_once(AT_ONCE, folder, quick))
    notes = {"processes": AT_ONCE, "steps of each": PACKED_STEPS, "slower each": all_of_them / one}
    return Measurement(NAMES[2], Time(AT_ONCE * one, 0.0), Time(all_of_them, 0.0), None, (1, 1), notes=notes)


def _at_once(count: int, folder: str, quick: bool) -> list[float]:
    """Seconds of the steps of each of `count` processes that begin them together."""
    context = multiprocessing.get_context("spawn")
    barrier, seconds = context.Barrier(count), context.Queue()
    processes = [
        context.Process(target=_train, args=(folder, quick, seed, barrier, seconds)) for seed in range(count)
    ]
    for process in processes:
        process.start()
    told = [seconds.get() for _ in processes]
    for process in processes:
        process.join()
    return told


def _train(folder: str, quick: bool, seed: int, barrier: Any, seconds: Any) -> None:
    exact_float32()
    torch.set_num_threads(1)
    device, config = torch.device("cuda"), configuration(quick, {})
    with tempfile.TemporaryDirectory() as scratch:
        site = Site.at(Path(folder), config, device)
        unit = Site(site.dataset, site.fold, Path(scratch), device).unit(config, seed, "run")
        batches = list(unit.sampler.epoch(1))
        unit.trainer.step(batches[0], progress=0.0, probe=False)
        torch.cuda.synchronize()
        barrier.wait()
        began = time.perf_counter()
        for number in range(PACKED_STEPS):
            unit.trainer.step(batches[number % len(batches)], progress=0.0, probe=False)
        torch.cuda.synchronize()
        seconds.put(time.perf_counter() - began)


def _separately(trainers: list[Trainer], turn: list[EpisodeBatch]) -> None:
    for trainer, batch in zip(trainers, turn, strict=True):
        trainer.step(batch, progress=0.0, probe=False)


def _flat(trainer: Trainer) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trainer.parameters])


def _pairs(batch: EpisodeBatch) -> int:
    return int(batch.support.size + batch.query.size)
