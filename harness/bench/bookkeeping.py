"""What an epoch costs beside its training and scoring, in the worker and in the driver, early in a unit and late."""

import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import torch

from harness.audit.rehearsal import DATA, TINY
from harness.bench.driver import GROWN, LIMIT
from harness.bench.measurement import Measurement, Time, middle, timed
from harness.bench.stub import StubExecutor
from harness.config.space.compose import compose, load_preset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.garbage import settle
from harness.trial.unit_run import UnitRun

EPOCHS, QUICK_EPOCHS = 200, 6
AROUND = 10
"""The early epoch that is compared with the last one; each with as many epochs beside it."""
TRIALS = 4
"""Trials that report to the driver in turns."""
CPU = torch.device("cpu")


def bench_worker_epochs(epochs: int) -> Measurement:
    """A unit of `epochs` epochs of one small step: of each what `advance` takes beside what its row of `epochs` says of
    training and scoring, that is rows, live rules, log and checkpoint. As the plain way the epochs around the AROUND-th."""
    changes = {**TINY, "audit": "off", "optimiser.steps_per_epoch": 1, "optimiser.epochs": epochs + 1}
    config = compose(load_preset("rp24"), changes).resolved(gpu=False)
    model = config.model
    assert model.enhancer_bp is not None
    assert model.promoter_bp is not None
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        crops = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
        dataset = open_dataset(DATA, **crops, cache=Path(folder) / "data", progress=False)
        unit = UnitRun(config, dataset, make_folds(dataset, DATA)[0], 0, RunWriter(Path(folder) / "run"))
        settle()
        times = [timed(unit.advance, CPU) for _ in range(epochs)]
        rows = unit.rows("epochs")
    beside = [
        Time(whole.wall - row["wall_s"], whole.cpu - row["cpu_s"])
        for whole, row in zip(times, rows, strict=True)
    ]
    return late_against_early("worker's bookkeeping of an epoch", beside, "its first epochs")


def bench_driver_epochs(epochs: int) -> Measurement:
    """Reports of `epochs` epochs of a few trials to the driver; as the plain way those around the AROUND-th."""
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        executor = StubExecutor(Path(folder), TRIALS, "random", epochs=epochs + 1)
        trials = [executor.begin() for _ in range(TRIALS)]

        def report(epoch: int) -> None:
            for trial in trials:
                executor.advance(trial, epoch)

        settle()
        times = [timed(partial(report, epoch), CPU).times(1 / TRIALS) for epoch in range(1, epochs + 1)]
    return late_against_early("driver's bookkeeping of an epoch", times, "the first epochs")


def late_against_early(name: str, times: Sequence[Time], plain: str) -> Measurement:
    """Of the last epochs against those around the AROUND-th, medians; the limit holds where there are EPOCHS."""
    width = min(AROUND, max(1, len(times) // 3))
    early, late = middle(times[width // 2 : width // 2 + width]), middle(times[-width:])
    return Measurement(
        name=name,
        plain=early,
        fast=late,
        required=None,
        rounds=(width, width),
        differences={GROWN: late.cpu / early.cpu},
        limits={GROWN: LIMIT} if len(times) >= EPOCHS else {},
        notes={
            f"processor ms around epoch {AROUND}": early.cpu * 1000,
            f"processor ms at epoch {len(times)}": late.cpu * 1000,
            "median of all, ms": median(one.cpu for one in times) * 1000,
            "load": os.getloadavg()[0],
            "plain way": plain,
        },
    )
