"""`python -m tests.harness.on_another_device FOLDER`: what audited trials on that device say."""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from harness.audit.finding import FATAL
from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.data import DataBlock
from harness.config.space.compose import compose, load_preset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.unit_run import UnitRun
from tests.another_device import NAME, install
from tests.intact.factors import SHORT

WINDOWS = {"enhancer_bp": 80, "promoter_bp": 100}
SMALL: dict[str, Any] = {
    **SHORT,
    **{f"model.{name}": size for name, size in WINDOWS.items()},
    "model.embedding": 4,
    "model.kernel": 5,
    "model.width": 8,
    "model.pool": 12,
    "episode.per_step": 4,
    "episode.query": 8,
    "support.size": 8,
    "support.draws": 2,
    "optimiser.epochs": 1,
    "optimiser.steps_per_epoch": 2,
    "curriculum.phase1_epochs": 0,
    "audit": "strict",
}
TRIALS: dict[str, dict[str, Any]] = {
    "rp13": {
        "temperature.mode": "calibrated",
        "balance.kind": "pcgrad",
        "loss.ranking.weight": 0.3,
        "model.dropout": 0.1,
    },
}
"""Preset -> changes."""


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    kept = install()
    content = {
        "form": "gated",
        "cell_lines": 7,
        "pairs_per_cell": 120,
        "chromosomes": 4,
        "motifs": 4,
        **WINDOWS,
    }
    block = DataBlock.model_validate({"synthetic": content})
    dataset = open_dataset(block, **WINDOWS, cache=folder / "cache", progress=False)
    fold = make_folds(dataset, block)[0]
    for name, changes in TRIALS.items():
        config = compose(load_preset(name), {**SMALL, **changes}).resolved(gpu=False)
        run = RunWriter(folder / name)
        unit = UnitRun(config, dataset, fold, 0, run, device=NAME, inspector=AuditInspector)
        while not unit.finished:
            unit.advance()
        (ledger,) = unit.rows("ledger") or [{"recomputed": 0}]
        told = {
            "preset": name,
            "device": str(unit.trainer.parameters[0].device),
            "ended": f"{unit.status} {unit.row['reason']}".strip(),
            "accused": [row["reason"] for row in unit.audited if row["verdict"] in FATAL],
            "judged": len(unit.audited),
            "recomputed": ledger["recomputed"],
        }
        print(json.dumps(told), flush=True)
    assert kept


if __name__ == "__main__":
    main(Path(sys.argv[1]))
