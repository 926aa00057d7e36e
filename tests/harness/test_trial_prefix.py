"""Phase 1 that is taken from another unit: bit-equal to one that is trained, and taken where it is the same one only."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.paths import leaves
from harness.config.blocks.reads import Reads, answers
from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.store.writer import RunWriter
from harness.trial.prefix import FOLDER
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import TINY

RICH: dict[str, Any] = {
    "model.encoder": "cbat",
    "model.dropout": 0.35,
    "energy.form": "gated",
    "temperature.mode": "learned",
    "temperature.penalty": 0.1,
    "environment.teacher.kind": "ema",
    "loss.contrastive.weight": 0.5,
    "loss.contrastive.bank": 16,
    "loss.distillation.weight": 0.2,
    "loss.ranking.weight": 0.5,
    "loss.calibration.weight": 0.1,
    "decouple.vib": 0.05,
    "decouple.pearson": 0.1,
    "balance.kind": "grad_norm",
    "curriculum.phase1_epochs": 2,
    "optimiser.epochs": 3,
    "audit": "strict",
}
WITHOUT: dict[str, Any] = {**RICH, "energy.form": "linear", "loss.contrastive.weight": 0.0}
"""The same phase 1, and another phase 2."""
CLOCK = ["wall_s", "started", "finished", "shared_epochs", "phase1_of"]
COSTS = ["cost"]
MakeShared = Any


@pytest.fixture
def unit_of(tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path) -> MakeShared:
    def make(changes: dict[str, Any], run: str, *, shares: bool = True, seed: int = 0) -> UnitRun:
        config = compose(TINY, changes).resolved(gpu=False)
        parts = (config, tiny_dataset, tiny_fold, seed, RunWriter(tmp_path / run))
        return UnitRun(*parts, inspector=AuditInspector, shares=shares)

    return make


def trained(unit: UnitRun, epochs: int | None = None) -> UnitRun:
    while not unit.finished and (epochs is None or unit.epoch < epochs):
        unit.advance()
    return unit


def tables(run: Path, unit: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every table of a unit, without clocks and without what says that it shared."""
    for file in sorted(run.glob(f"*/{unit}.parquet")):
        frame = pq.read_table(file).to_pandas()
        timed = [name for name in frame if name in CLOCK or name.startswith("cost")]
        yield file.parent.name, frame.drop(columns=timed)


def test_a_shared_phase_1_gives_every_bit_of_a_trained_one(unit_of: MakeShared, tmp_path: Path) -> None:
    donor = trained(unit_of(RICH, "shared"))
    fork = trained(unit_of(WITHOUT, "shared"))
    alone = trained(unit_of(WITHOUT, "alone", shares=False))
    assert (donor.row["shared_epochs"], fork.row["shared_epochs"], alone.row["shared_epochs"]) == (0, 2, 0)
    assert fork.row["phase1_of"] == donor.unit
    assert fork.status == "done", fork.row["reason"]
    mine, its = fork.trainer.state_dict(), alone.trainer.state_dict()
    torch.testing.assert_close(mine, its, rtol=0, atol=0)
    one, other = dict(tables(tmp_path / "shared", fork.unit)), dict(tables(tmp_path / "alone", alone.unit))
    assert {"predictions", "mechanisms", "audit", "ledger", "terms", "cells"} <= one.keys() == other.keys()
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name], check_exact=True, obj=name)
