"""What the driver itself costs per configuration as a sweep grows: everything but training and Ray."""

import tempfile
from pathlib import Path

import torch

from harness.bench.measurement import Measurement, timed
from harness.bench.stub import StubExecutor

WINDOW = 10
"""Configurations over which time is taken, at the beginning and at the end."""


def bench_driver(trials: int, sampler: str) -> Measurement:
    """Time per configuration when `trials` are there already, and, as the plain way, with a plan that is written whole
    for each of them; `notes` has the time per configuration at the beginning and how much it grew.

    The study's sampler is part of it: TPE weighs all earlier configurations, random ones cost the same for ever.
    """
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        executor = StubExecutor(Path(folder), trials + 3 * WINDOW, sampler)
        run, proposer = executor.run, executor.proposer
        run(WINDOW)
        begin = timed(lambda: run(WINDOW), cpu).times(1 / WINDOW)
        run(max(0, trials - 3 * WINDOW))
        end = timed(lambda: run(WINDOW), cpu).times(1 / WINDOW)

        def whole() -> None:
            run(WINDOW, lambda: proposer.plan.save(proposer.run))

        plain = timed(whole, cpu).times(1 / WINDOW)
    return Measurement(
        name=f"driver time per configuration, {trials} of them, sampler {sampler}",
        plain=plain,
        fast=end,
        required=None,
        notes={
            "ms at the beginning": begin.wall * 1000,
            "ms at the end": end.wall * 1000,
            "grown": f"{end.wall / begin.wall:.2f} x on the clock, {end.cpu / begin.cpu:.2f} x processor time",
            "plain way": "plan.json written whole for every configuration",
        },
    )
