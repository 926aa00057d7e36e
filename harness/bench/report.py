"""The report of a large run, as a sweep writes it at its end."""

import os
import tempfile
from pathlib import Path

import torch

from analysis.ranking import rank
from analysis.report.page import write_report
from analysis.store import Run
from harness.bench.measurement import Measurement, timed
from harness.bench.ranking import FULL, SECONDS, SEEDS, make_units, multiply
from harness.store.compaction import AT_ONCE, Compactor

LIMIT = 30.0


def bench_report(units: int) -> Measurement:
    """The report of a made-up run of `units` units as one HTML file, ranking included; as the plain way, that of its first
    part, multiplied."""
    cpu, count = torch.device("cpu"), min(AT_ONCE, units)
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        for run in (few, many):
            compactor = Compactor(run, at_once=count)
            compactor.collect(make_units(run, count))
            compactor.finish()
        multiply(many, units // count)
        plain = timed(lambda: write_report(rank(Run.open(few))), cpu)
        fast = timed(lambda: write_report(rank(Run.open(many))), cpu)
        size = (many / "report.html").stat().st_size / 1e6
    return Measurement(
        name=f"report of {units // SEEDS} configurations x {SEEDS} seeds",
        plain=plain.times(units / count),
        fast=fast,
        required=None,
        differences={SECONDS: fast.cpu},
        limits={SECONDS: LIMIT} if units >= FULL else {},
        notes={
            "seconds on the clock": fast.wall,
            "MB": size,
            "load": os.getloadavg()[0],
            "plain way": f"that of {count} units, multiplied",
        },
    )
