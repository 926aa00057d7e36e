"""What the driver itself costs per configuration as a sweep grows: everything but training and Ray."""

import json
import os
import tempfile
from pathlib import Path

import torch

from harness.bench.measurement import Measurement, Time, timed
from harness.bench.stub import StubExecutor

WINDOW = 50
"""Configurations over which time is taken, early and at the end."""
EARLY = 200
"""The configuration from which on its cost is not to grow: by then everything has been used for the first time, and TPE
weighs all that it ever will."""
GROWN = "times the processor time"
LIMIT = 1.5
"""How much dearer the last configurations may be than those after EARLY, or each of a large space than of a small one."""
CPU = torch.device("cpu")


def bench_driver(trials: int, sampler: str) -> Measurement:
    """Time per configuration when `trials` are there already, and, as the plain way, with a plan that is written whole
    for each of them; the difference is how much it grew since the EARLY-th."""
    window = min(WINDOW, max(1, trials // 5))
    early = min(EARLY, trials - 2 * window)
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        executor = StubExecutor(Path(folder), trials + window, sampler)
        run, proposer = executor.run, executor.proposer
        first = _timed(executor, window)
        run(max(0, early - window))
        begin = _timed(executor, window)
        run(max(0, trials - window - len(executor.trials)))
        end = _timed(executor, window)

        def whole() -> None:
            run(window, lambda: proposer.plan.save(proposer.run))

        plain = timed(whole, CPU).times(1 / window)
    return Measurement(
        name=f"driver time per configuration, {trials} of them, sampler {sampler}",
        plain=plain,
        fast=end,
        required=None,
        differences={GROWN: end.cpu / begin.cpu},
        limits={GROWN: LIMIT} if trials >= 2 * EARLY else {},
        notes={
            "processor ms of the first": first.cpu * 1000,
            f"processor ms from the {early}th": begin.cpu * 1000,
            "processor ms of the last": end.cpu * 1000,
            "on the clock grown": f"{end.wall / begin.wall:.2f} x",
            "window": window,
            "load": os.getloadavg()[0],
            "plain way": "plan.json written whole for every configuration",
        },
    )


def bench_finite(points: int, sampler: str) -> Measurement:
    """Time per configuration of a search that runs a whole grid of `points` points, whatever its sampler repeats, against
    one of a fifth of them (as the plain way)."""
    small, large = (_emptied(count, sampler) for count in (max(4, points // 5), points))
    return Measurement(
        name=f"driver over all {points} points of a finite space, sampler {sampler}",
        plain=small,
        fast=large,
        required=None,
        differences={GROWN: large.cpu / small.cpu},
        limits={GROWN: LIMIT} if points >= 10 * EARLY else {},
        notes={
            "times": "per configuration",
            "processor ms": large.cpu * 1000,
            "load": os.getloadavg()[0],
            "plain way": "a space of a fifth of the points",
        },
    )


def _timed(executor: StubExecutor, window: int) -> Time:
    return timed(lambda: executor.run(window), CPU).times(1 / window)


def _emptied(points: int, sampler: str) -> Time:
    """Per configuration, of a search that asks for all `points` of a grid over two keys."""
    rates = [0.001 + 0.0001 * n for n in range(points // 4)]
    space = {"optimiser.lr": {"grid": rates}, "loss.ranking.weight": {"grid": [0.1, 0.2, 0.3, 0.4]}}
    content = {
        "name": "bench",
        "base": "rp24",
        "data": {"synthetic": {}},
        "trial": {"seeds": 1},
        "space": space,
    }
    # The preset's two epochs of phase 1 leave room for a second phase.
    content |= {"design": "search", "scheduler": {"kind": "none"}, "objective": "val_unseen/pooled/aupr"}
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place:
        yaml = Path(place) / "finite.yaml"
        yaml.write_text(json.dumps(content))
        count = 4 * len(rates)
        executor = StubExecutor(Path(place) / "run", count, sampler, yaml=yaml)
        used = timed(lambda: executor.run(count), CPU).times(1 / count)
        if len(executor.proposer.plan.configs) != count:
            raise RuntimeError(
                f"{len(executor.proposer.plan.configs)} of {count} points of the bench's space"
            )
    return used
