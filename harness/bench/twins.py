"""What the audit's twins cost: both of their moments against the steps that a trial may spend on them."""

import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch

from harness.audit.auditor import twins_of
from harness.audit.finding import FATAL
from harness.audit.frozen_side import TURNS, AskedByTwins
from harness.audit.probe import EVERYTHING_ON
from harness.audit.rehearsal import DATA, NARROW, TINY
from harness.bench.cached import CachedSetting
from harness.bench.measurement import Measurement, Time, middle, timed
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.space.compose import compose, load_preset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.garbage import settle
from harness.trial.inspection import Moment
from harness.trial.unit_run import UnitRun

BUDGET = 40
"""Steps of a trial, by wall time, that the twins of both moments may take together."""
PRESETS = ("minimal", "rp24", "complete")
SIZES: Mapping[str, tuple[Mapping[str, Any], DataBlock]] = {
    "default": ({}, DataBlock(synthetic=SyntheticBlock())),
    "small": (TINY, DATA),
}
"""Name of a size -> settings and data; at small ones a step is little but overhead."""
STEPS, ROUNDS = 7, 3


def bench_twins(preset: str, size: str, device: torch.device, *, budget: bool) -> Measurement:
    """One measurement of a preset at one of the `SIZES`: `plain` are BUDGET median steps with all schedules over, `fast`
    are the twins before and after such steps; `budget`: more than that is a fault."""
    start, (settings, data) = load_preset(preset), SIZES[size]
    narrow = (
        {"model.bottleneck": NARROW} if settings and compose(start, {}).model.bottleneck is not None else {}
    )
    changes = {**settings, **narrow, "optimiser.steps_per_epoch": STEPS, "audit": "off"}
    config = compose(start, changes).resolved(gpu=device.type == "cuda")
    model = config.model
    assert model.enhancer_bp is not None
    assert model.promoter_bp is not None
    with tempfile.TemporaryDirectory() as folder:
        crops = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
        dataset = open_dataset(data, **crops, cache=Path(folder) / "data", progress=False)
        fold = make_folds(dataset, data)[0]
        unit = UnitRun(config, dataset, fold, 0, RunWriter(Path(folder) / "run"), device=device.type)
        return _measured(f"twins of preset {preset} at {size} sizes", unit, device, budget=budget)


def bench_cached_twins(
    size: str, device: torch.device, *, budget: bool, quick: bool = False
) -> Iterator[Measurement]:
    """The same of rp24 behind a frozen sequence side of a model size, in each turn of what twins ask there beside the
    mechanisms (`harness.audit.frozen_side.AskedByTwins`); `quick`: in one of them."""
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        setting = CachedSetting(Path(folder), size, device, quick=quick)
        configs = (setting.another(1 + k / 100) for k in count())
        turns = {
            turn: next(each for each in configs if AskedByTwins.of(each).turn == turn)
            for turn in range(len(TURNS))
        }
        for turn, config in list(turns.items())[: 1 if quick else None]:
            unit = setting.cached_unit(config, f"twins-{turn}")
            name = f"twins of cached rp24 at {size} size, {TURNS[turn]}"
            yield _measured(name, unit, device, budget=budget)


def _measured(name: str, unit: UnitRun, device: torch.device, *, budget: bool) -> Measurement:
    """Of one unit that has taken no step."""
    accused: list[str] = []

    def judge(moment: Moment, step_s: float | None) -> None:
        findings = twins_of(unit.subject, moment, step_s=step_s).findings
        # Keys that only a whole trial reads are not read here.
        accused.extend(each.mechanism for each in findings if each.verdict in FATAL and each.check != "key")

    settle()  # as a worker does
    # Before any step is trained each time, as a trial begins; of the last moment all are after the steps.
    first = middle([timed(partial(judge, "first", None), device) for _ in range(ROUNDS)])
    step = partial(unit.trainer.step, progress=EVERYTHING_ON, probe=False)
    plain = middle([timed(partial(step, batch), device) for batch in unit.sampler.epoch(1)])
    last = middle([timed(partial(judge, "last", plain.wall), device) for _ in range(ROUNDS)])
    return Measurement(
        name,
        plain.times(BUDGET),
        Time(first.wall + last.wall, first.cpu + last.cpu),
        1.0,
        (STEPS, ROUNDS),
        differences={"mechanisms accused": float(len(accused))},
        limits={"mechanisms accused": 0.0},
        notes={"steps at first": first.wall / plain.wall, "steps at last": last.wall / plain.wall},
        budget=budget,
    )
