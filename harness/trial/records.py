"""What a unit leaves of itself, table by table: its row of `units` as it begins, and the rows of an epoch."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, Splits
from harness.stamp.stamp import SELECTION, Stamp
from harness.trial.score.rows import epoch_row, report_rows, term_rows
from harness.trial.step.trainer import StepLog, Trainer

Row = dict[str, Any]
Tables = dict[str, list[Row]]


def first_row(
    config: ConfigurationBlock,
    fold: Fold,
    dataset: EncodedDataset,
    splits: Splits,
    trainer: Trainer,
    *,
    seed: int,
    changes: dict[str, Any],
    objective: str,
    stamp: Stamp | None,
) -> Row:
    """The unit's row of `units` before its first epoch."""
    return {
        "config": config.id,
        "fold": fold.id,
        "seed": seed,
        "status": "running",
        "reason": "",
        "epochs": 0,
        "selected_epoch": None,
        "selection": SELECTION,
        "objective": objective,
        "objective_value": None,
        "parameters": sum(p.numel() for p in trainer.parameters if p.requires_grad),
        "train_pairs": len(splits.train),
        "features": None if dataset.frozen is None else dataset.frozen.digest,
        "shared_epochs": 0,
        "phase1_of": None,
        "wall_s": 0.0,
        "started": datetime.now(UTC),
        "finished": None,
        "device": str(trainer.device),
        "bitwise": trainer.device.type == "cpu",
        "config_json": json.dumps(config.canonical(), sort_keys=True),
        "changes_json": json.dumps(changes, sort_keys=True),
        "fold_json": json.dumps(fold.content(), sort_keys=True),
        "rank_invariant": None,
        "gate_closes": trainer.model.energy.gate_closes,
        "train_prevalence": float(dataset.label[splits.train].mean()),
        **(stamp.row() if stamp else {}),
    }


def training_tables(
    epoch: int, logs: Sequence[StepLog], trainer: Trainer, cell_lines: Sequence[str], **measured: float
) -> Tables:
    """Rows of `epochs`, `terms` and `reports` of an epoch that was trained in the steps `logs`; `measured`: further
    columns of `epochs`."""
    row = {
        **epoch_row(logs),
        "phase": trainer.schedule.phase(epoch),
        "step": trainer.index,
        "lr": trainer.config.optimiser.lr,
        **measured,
    }
    tables = {
        "epochs": [row],
        "terms": term_rows(logs, {term.key: term.weight for term, _ in trainer.weighted}),
        "reports": report_rows(trainer, logs[-1].weights, cell_lines),
    }
    return {name: [{"epoch": epoch, **row} for row in rows] for name, rows in tables.items() if rows}
