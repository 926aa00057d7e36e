"""What a unit keeps on disk: a real small run, as its units leave it and compacted."""

import os
import shutil
import tempfile
from pathlib import Path

import torch

from analysis.schema import COMPACTED, PART
from harness.audit.audited import WITHOUT_EXAMPLES
from harness.audit.rehearsal import TINY
from harness.bench.measurement import Measurement, timed
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.space.compose import compose, load_preset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.store.compaction import Compactor
from harness.store.writer import RunWriter
from harness.trial.unit_run import UnitRun

KEPT, QUICK_KEPT = (4, 10), (2, 2)
"""Units and epochs."""
LIMIT = 200.0
WITHOUT = "kB per unit without predictions"
SHORT = {"curriculum.phase1_epochs": 1, "balance.epochs": 1}
"""Schedules that arrive within two epochs."""
DATA = DataBlock(
    synthetic=SyntheticBlock(form="gated", pairs_per_cell=60, chromosomes=4, enhancer_bp=80, promoter_bp=100)
)
"""As many cell lines as by default, of few pairs each: rows of `cells` are per line and epoch."""


def bench_kept(units: int, epochs: int, *, twins: bool = True) -> Measurement:
    """Bytes of all tables but `predictions`, of `units` audited units of preset rp24 with `epochs` epochs on 16 cell lines;
    the limit is of what each leaves at its end, before anything is compacted. Times: a unit, and its compaction.
    `twins`: the audit's twins run in the first of them, as they do in a trial."""
    cpu = torch.device("cpu")
    changes = {**TINY, "audit": "warn", "optimiser.epochs": epochs, "support.draws": 5} | SHORT
    config = compose(load_preset("rp24"), changes).resolved(gpu=False)
    model = config.model
    assert model.enhancer_bp is not None
    assert model.promoter_bp is not None
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place:
        run = Path(place) / "run"
        crops = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
        dataset = open_dataset(DATA, **crops, cache=Path(place) / "data", progress=False)
        fold, names = make_folds(dataset, DATA)[0], []

        def train() -> None:
            for seed in range(units):
                unit = UnitRun(
                    config, dataset, fold, seed, RunWriter(run), twins=twins and seed == 0, **WITHOUT_EXAMPLES
                )
                names.append(unit.unit)
                while not unit.finished:
                    unit.advance()

        trained = timed(train, cpu).times(1 / units)
        single = _tables(run) / units
        compactor = Compactor(run, at_once=units)

        def compact() -> None:
            compactor.collect(names)
            compactor.finish()

        half = Path(place) / "half"
        shutil.copytree(run, half)
        Compactor(half, at_once=units // 2).collect(names[: units // 2])
        compacted = timed(compact, cpu).times(1 / units)
        kilobytes = {
            f"kB of {what}": _size(run / what) / units for what in ("predictions", "logs", "checkpoints")
        }
        further = (_parts(run) - _parts(half)) / (units - units // 2)
    return Measurement(
        name=f"store of a unit of {epochs} epochs on {len(dataset.cell_lines)} cell lines",
        plain=trained,
        fast=compacted,
        required=None,
        differences={WITHOUT: single},
        limits={WITHOUT: LIMIT},
        notes={
            "kB that a unit adds to compacted ones": further,
            **kilobytes,
            "load": os.getloadavg()[0],
            "times": "of training a unit, and of compacting it",
        },
    )


def _tables(run: Path) -> float:
    """kB of all tables but the predictions."""
    return sum(_size(run / table) for table in COMPACTED if table != "predictions")


def _parts(run: Path) -> float:
    """kB of the compacted tables but the predictions."""
    files = (file for file in run.rglob(f"{PART}*.parquet") if file.parent.name != "predictions")
    return sum(file.stat().st_size for file in files) / 1000


def _size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1000
