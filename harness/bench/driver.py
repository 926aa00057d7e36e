"""What the driver itself costs per configuration as a sweep grows: everything but training and Ray."""

import json
import os
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from harness.bench.measurement import Measurement, Time, timed
from harness.bench.stub import StubExecutor
from harness.store.compaction import AT_ONCE

WINDOW = AT_ONCE
"""Configurations over which time is taken, early and at the end: so many that each time has a part of the store written
once, which takes more than all else of a configuration."""
EARLY = 200
"""The configuration from which on its cost is not to grow: by then everything has been used for the first time, and TPE
weighs all that it ever will."""
GROWN = "times the processor time"
LIMIT = 1.5
"""How much dearer the last configurations may be than those after EARLY, or each of a large space than of a small one."""
SLICE = 5
"""Configurations of one sweep before the other has its turn, so that other load on the machine meets both."""
CPU = torch.device("cpu")


def bench_driver(trials: int, sampler: str) -> Measurement:
    """Time per configuration when `trials` are there already, in turns with that of a sweep that has come to the EARLY-th,
    and, as the plain way, with a plan that is written whole for each of them; the difference is how much dearer it is
    than in the younger sweep."""
    window = min(WINDOW, max(1, trials // 5))
    early = min(EARLY, trials - 2 * window)
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        young, old = (
            StubExecutor(Path(folder) / name, count + window, sampler)
            for name, count in (("young", early), ("old", trials))
        )
        first = timed(partial(old.run, window), CPU).times(1 / window)
        young.run(early)
        old.run(trials - window - len(old.trials))
        begin, end = _in_turns({young: window, old: window})
        run, proposer = old.run, old.proposer

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
    """Time per configuration of a search that runs a whole grid of `points` points, whatever its sampler repeats, in turns
    with that of one of a fifth of them (as the plain way)."""
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        few, many = (
            _search_of_all(Path(folder) / name, count, sampler)
            for name, count in (("few", max(4, points // 5)), ("many", points))
        )
        small, large = _in_turns({few: few.total, many: many.total})
        for executor in (few, many):
            if len(executor.proposer.plan.configs) != executor.total:
                raise RuntimeError(
                    f"{len(executor.proposer.plan.configs)} of {executor.total} points of the bench's space"
                )
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


def _in_turns(counts: Mapping[StubExecutor, int]) -> list[Time]:
    """Time per configuration of so many of each sweep, taken in turns in proportion to how many each has."""
    turns = max(1, min(counts.values()) // SLICE)
    used = {executor: [0.0, 0.0] for executor in counts}
    for turn in range(turns):
        for executor, count in counts.items():
            share = count * (turn + 1) // turns - count * turn // turns
            for kind, seconds in enumerate(timed(partial(executor.run, share), CPU)):
                used[executor][kind] += seconds
    return [Time(*used[executor]).times(1 / count) for executor, count in counts.items()]


def _search_of_all(place: Path, points: int, sampler: str) -> StubExecutor:
    """A search that asks for all `points` of a grid over two keys, and has asked for none."""
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
    place.mkdir(parents=True)
    yaml = place / "finite.yaml"
    yaml.write_text(json.dumps(content))
    return StubExecutor(place / "run", 4 * len(rates), sampler, yaml=yaml)
