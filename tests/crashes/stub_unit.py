"""A unit that trains nothing: it writes what a real one writes, in the same order, in milliseconds."""

from datetime import UTC, datetime
from typing import Any

import torch

from harness.config.blocks.trial import ConfigurationBlock
from harness.data.folds import Fold
from harness.stamp.stamp import SELECTION
from harness.store.writer import RunWriter
from harness.sweep.run.bare_row import bare_row
from harness.trial.record import Record
from harness.trial.summary import EpochSummary

LINES = ("macro", "pooled")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""Of every unit, so that two tries leave the same bytes."""


class StubUnit:
    """In place of `harness.trial.unit_run.UnitRun` for `TrialWorker`: rows that unit and epoch decide, through a state
    that has to be resumed right."""

    def __init__(
        self,
        config: ConfigurationBlock,
        dataset: object,
        fold: Fold,
        seed: int,
        run: RunWriter,
        *,
        changes: dict[str, Any],
        objective: str,
        stamp: Any,
        **others: object,
    ) -> None:
        self.unit, self.objective = f"{config.id}-{fold.id}-{seed}", objective
        self.planned = config.optimiser.epochs
        self.record = Record(run, self.unit, torch.device("cpu"))
        self.stopped_by_audit = False
        self.weights = torch.tensor([int(config.id[:6], 16) / 2**24 + seed], dtype=torch.float64)
        row = bare_row(
            config.id,
            fold,
            seed,
            content=config.canonical(),
            changes=changes,
            objective=objective,
            device="cpu",
            stamp=stamp,
            reason="",
        )
        self.row = {**row, "status": "running", "selection": SELECTION, "started": NOW, "wall_s": 0.0}
        reached = self.record.find()
        if reached is None:
            self.record.begin(self.row)
            return
        self.row = dict(reached.log.row)
        if reached.trainer is not None:
            self.weights = reached.trainer["weights"]

    @property
    def epoch(self) -> int:
        return int(self.row["epochs"])

    @property
    def status(self) -> str:
        return str(self.row["status"])

    @property
    def finished(self) -> bool:
        return self.status != "running"

    def advance(self) -> EpochSummary:
        if self.epoch < self.planned:
            epoch = self.epoch + 1
            self.weights = self.weights * 0.75 + epoch / 8
            self.row |= {"epochs": epoch, "selected_epoch": epoch, "objective_value": self._value()}
            self.record.checkpoints.save(f"epoch-{epoch}", {"weights": self.weights})
            tables: dict[str, list[dict[str, Any]]] = {
                "epochs": [{"epoch": epoch, "loss": self._value(), "train_aupr": 0.5, "wall_s": 0.001}],
                "terms": [{"epoch": epoch, "term": "task", "value": self._value()}],
                "cells": self._cells(epoch, "epoch"),
            }
            self.record.epoch(self.row, tables, {"weights": self.weights}, {})
        if self.epoch == self.planned:
            self.close("done")
        return EpochSummary.of(
            self.epoch, self._cells(self.epoch, "epoch"), self.objective, [], self._value()
        )

    def close(self, status: str, reason: str = "") -> None:
        if self.epoch and status == "done":
            self.record.add("cells", self._cells(self.epoch, "best_on_validation"))
            self.record.add_whole("predictions", [{"pair": pair, "label": pair % 2} for pair in range(4)])
            self.record.settle()
        ended = {**self.row, "status": status, "reason": reason, "finished": NOW}
        self.record.end(ended, {"weights": self.weights}, {})
        self.row = ended

    def _value(self) -> float:
        return float(self.weights)

    def _cells(self, epoch: int, selection: str) -> list[dict[str, Any]]:
        row = {"epoch": epoch, "selection": selection, "split": "val_unseen", "score": "corrected"}
        row |= {"prevalence_mode": "as_found", "protocol": "exact", "n": 8, "positives": 4}
        return [
            {**row, "cell_line": line, "aupr": self._value() / 4, "auc": 0.5, "nll": 0.7} for line in LINES
        ]
