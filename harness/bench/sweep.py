"""A whole sweep: configurations per hour against a straightforward port of the same work to Ray Tune."""

import json
import os
import tempfile
from pathlib import Path

import pandas as pd

from analysis.store import Run
from harness.bench.grid import SweepSize, content, opened
from harness.bench.measurement import Measurement, Time
from harness.bench.unit import ALONE, KEYS
from harness.bench.watched import run_module
from harness.config.sweep.sweep import load_sweep

REQUIRED = 10.0


def bench_sweep(size: SweepSize, name: str) -> Measurement:
    """Time per configuration: of the port, Tune's run over its configurations; of the harness, what the further ones add
    to the whole command (start and ranking cost the same however long a sweep is, and are left out of both).

    Processor time of the port is what its trials themselves measure, from the start of their processes on; Tune's own is
    left out. Both have to write the same rows of `cells`; `harness.bench.unit` compares what is in them.
    """
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place:
        folder = Path(place)
        whole = size.configurations + size.further
        few = _yaml(folder, "few", content(size, size.configurations))
        more = _yaml(folder, "more", content(size, whole))
        alone = _yaml(folder, "alone", content(size, whole, share=False))
        dataset = opened(load_sweep(few), folder / "cache")
        few_time, _ = run_module(_command(few, folder))
        port_time, _ = run_module(["harness.bench.port", str(few), str(dataset.path), str(folder / "port")])
        more_time, _ = run_module(_command(more, folder))
        alone_time, _ = run_module(_command(alone, folder))
        cells = Run(folder / few.stem).columns("cells", ["config", "fold", "seed", *KEYS])
        ported = pd.concat([pd.read_parquet(file) for file in (folder / "port").glob("*.parquet")])
        trials = [json.loads(file.read_text()) for file in (folder / "port").glob("*-trial.json")]
        seconds = float(json.loads((folder / "port" / "seconds.json").read_text()))
    processor = sum(trial["ended"]["processor"] for trial in trials)
    plain = Time(seconds, processor).times(1 / len(trials))
    fast = _beyond(more_time, few_time, size.further)
    return Measurement(
        name=f"whole sweep, {name}",
        plain=plain,
        fast=fast,
        required=REQUIRED,
        differences={ALONE: float(len(_keys(cells) ^ _keys(ported)))},
        limits={ALONE: 0.0},
        notes={
            "per": f"configuration of {size.seeds} seeds x {size.epochs} epochs, audit off",
            "trials per hour of the port": 3600 / plain.wall,
            "of the harness": 3600 / fast.wall,
            "start of a fresh worker, processor s": sum(trial["begun"]["processor"] for trial in trials)
            / len(trials),
            "phase 1 shared, processor s saved per trial": _beyond(alone_time, more_time, whole - 1).cpu,
            "cores busy": f"port {plain.cpu / plain.wall:.2f}, harness {fast.cpu / fast.wall:.2f}",
            "whole commands": f"port {port_time.wall:.0f} s, harness {few_time.wall:.0f} s",
            "load": os.getloadavg()[0],
        },
    )


def _yaml(folder: Path, name: str, plain: dict[str, object]) -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps(plain))
    return file


def _command(yaml: Path, folder: Path) -> list[str]:
    return ["harness.sweep", str(yaml), "--out", str(folder / yaml.stem), "--cache", str(folder / "cache")]


def _beyond(more: Time, few: Time, further: int) -> Time:
    """Of each of the `further` configurations that `more` ran."""
    return Time(more.wall - few.wall, more.cpu - few.cpu).times(1 / further)


def _keys(cells: pd.DataFrame) -> set[tuple[object, ...]]:
    """What rows there are; which epoch was best may differ, since trainings in float32 drift apart."""
    cells = cells.assign(epoch=cells["epoch"].where(cells["selection"] != "best_on_validation", 0))
    return set(cells[["config", "fold", "seed", *KEYS]].itertuples(index=False, name=None))
