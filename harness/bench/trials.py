"""What it costs to begin a trial in a warm worker, through Ray, and what a worker keeps in memory as folds go by."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from analysis.store import KEYS, Run
from harness.bench.measurement import Measurement, Time, timed
from harness.config.blocks.data import DataBlock
from harness.config.space.compose import compose, load_preset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.sweep.cluster.packing import Packing
from harness.sweep.worker import TrialWorker, Work

ROOT = Path(__file__).parents[2]
TRIALS = 64
LINES = 8
"""Cell lines, and so folds, of the benchmark's data."""
GLANCE = 0.01
"""Seconds between looks at the units that have been written."""
SETTINGS = {
    "audit": "off",
    "model.encoder": "cnn",
    "model.embedding": 4,
    "model.width": 8,
    "model.kernel": 5,
    "model.enhancer_bp": 80,
    "model.promoter_bp": 80,
    "model.self_attention_layers": 0,
    "optimiser.steps_per_epoch": 1,
    "optimiser.epochs": 1,
    "support.size": 4,
    "support.draws": 1,
    "episode.query": 8,
    "episode.per_step": 2,
}
"""A configuration whose epoch takes a tenth of a second."""
SYNTHETIC = {
    "cell_lines": LINES,
    "pairs_per_cell": 80,
    "enhancer_bp": 80,
    "promoter_bp": 80,
    "chromosomes": 4,
}


def bench_trials(trials: int, folds: int) -> Measurement:
    """Seconds between the last row of a trial and the beginning of the next one in the same worker, mean over `trials` of
    one seed each, on `folds` folds (1 or LINES); as the plain way, the start of a process that can train at all."""
    cpu = torch.device("cpu")
    imports = [sys.executable, "-c", "import harness.sweep.worker"]
    cold = timed(lambda: subprocess.run(imports, check=True, cwd=ROOT), cpu)
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place:
        folder = Path(place)
        content = {
            "name": "bench",
            "base": "minimal",
            "data": {"folds": "one" if folds == 1 else "each cell line", "synthetic": SYNTHETIC},
            "trial": {"seeds": 1},
            "set": SETTINGS,
            "space": {"optimiser.lr": {"grid": [0.001 + 0.0001 * n for n in range(trials // folds)]}},
            "design": "grid",
            "resources": {"concurrent": 1},
        }
        (folder / "bench.yaml").write_text(json.dumps(content))
        command = [sys.executable, "-m", "harness.sweep", str(folder / "bench.yaml")]
        command += ["--out", str(folder / "run"), "--cache", str(folder / "cache")]
        before = _processor_time()
        code, said, written = _watched(command, folder)
        used = _processor_time() - before
        units = Run(folder / "run").columns("units", [*KEYS, "started", "finished", "wall_s", "status"])
    if code or len(units) != trials or set(units["status"]) != {"done"}:
        raise RuntimeError(f"{len(units)} of {trials} units of the bench's sweep: {said}")
    units = units.sort_values("started", ignore_index=True)
    names = units["config"] + "-" + units["fold"] + "-" + units["seed"].astype(str)
    last = names.map(written)
    began, finished = (units[name].map(lambda moment: moment.timestamp()) for name in ("started", "finished"))
    gaps = began.iloc[1:].reset_index(drop=True) - last.iloc[:-1]
    return Measurement(
        name=f"start of a trial in a warm worker, {trials} of them on {folds} folds",
        plain=cold,
        fast=Time(float(gaps.mean()), used / trials),
        required=None,
        notes={
            "median s": float(gaps.median()),
            "largest s": float(gaps.max()),
            "training and evaluation s per trial": float(units["wall_s"].mean()),
            "s that a trial's last rows take": float((last - finished).mean()),
            "processor": "of driver, Ray and workers, their start and the training included, per trial",
            "load": os.getloadavg()[0],
            "plain way": "a new process that imports what a worker needs",
        },
    )


def bench_memory(folds: Sequence[int] = (1, 6), seeds: int = 3) -> Measurement:
    """Resident memory of a worker that has run so many folds one after another; times are those of all of them."""
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place:
        folder = Path(place)
        block = DataBlock.model_validate({"synthetic": SYNTHETIC, "folds": "each cell line"})
        dataset = open_dataset(block, enhancer_bp=80, promoter_bp=80, cache=folder / "cache", progress=False)
        known = make_folds(dataset, block)
        config = compose(load_preset("minimal"), SETTINGS).resolved(gpu=False)
        work = Work(folder / "run", tuple(known), "val_unseen/macro/aupr", (), "cpu", 1)
        worker: TrialWorker = object.__new__(TrialWorker)
        resident: dict[str, float] = {}
        times: dict[int, Time] = {}

        def run(count: int) -> None:
            for number in range(count):
                assignment = {
                    "name": f"fold {number} of {count}",
                    "configuration": config.id,
                    "fold": known[number].id,
                    "seeds": list(range(seeds * count, seeds * (count + 1))),
                    "config": Packing().pack(config),
                    "changes": {},
                    "finished": {},
                    "shares": False,
                    "dataset": str(dataset.path),
                }
                if times or number:
                    worker.reset_config(assignment)
                else:
                    worker.setup(assignment, work=work)
                while not worker.step()["done"]:
                    pass

        for count in folds:
            times[count] = timed(lambda count=count: run(count), cpu)  # type: ignore[misc]
            resident[f"MiB after {count}"] = psutil.Process().memory_info().rss / 2**20
        worker.cleanup()
    few, many = folds
    return Measurement(
        name=f"worker on {few} and then on {many} folds of {seeds} seeds, one after another",
        plain=times[many].times(1 / many),
        fast=times[few].times(1 / few),
        required=None,
        notes={**resident, "times": "per fold"},
    )


def _watched(command: Sequence[str], folder: Path) -> tuple[int, str, dict[str, float]]:
    """Exit status of a sweep, what it said, and the seconds (of the epoch) at which each unit's last rows were there."""
    written: dict[str, float] = {}
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        while process.poll() is None:
            for file in (folder / "run" / "units").glob("*.parquet"):
                written.setdefault(file.stem, time.time())
            time.sleep(GLANCE)
        said.seek(0)
        return process.returncode, said.read(), written


def _processor_time() -> float:
    """Seconds of all processes that this one started, by themselves or through others, and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
