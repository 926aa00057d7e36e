"""The Ray worker: all replicates of one configuration, an epoch at a time, in a process that is used again."""

import gc
import json
import math
import os
import random
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray.tune import Trainable

from harness.config.trial import TrialConfig
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.errors import UserError
from harness.run_store import RunWriter, replace_atomically
from harness.trial.replicate import Replicate

WORST_FIRST = ("failed", "diverged", "running", "pruned", "stopped", "done")
"""A configuration's status is that of its worst replicate, in this order."""


@dataclass(frozen=True)
class Work:
    """What every worker of a sweep needs to know; small, since data travel as a path."""

    run: Path
    folds: tuple[Fold, ...]
    objective: str
    stop_rules: tuple[str, ...]
    device: str
    threads: int

    def verdict_file(self, config: str) -> Path:
        """Where the driver writes that a configuration is to end early, and why."""
        return self.run / "checkpoints" / f"{config}.pruned"

    def prune(self, config: str, sentence: str) -> None:
        """Ask the configuration's worker to evaluate what was trained and end; survives a kill of either side."""
        replace_atomically(self.verdict_file(config), sentence.encode())


class ConfigurationTrainable(Trainable):
    """`step()` advances every unfinished replicate by one epoch, the ones that a kill left behind first.

    Reported each epoch: `epoch`, `objective` (mean over replicates of the best epoch so far, the rule by which
    weights are selected), `done`, `status`, `statuses` per unit, mean headline metrics, and the warnings that hold.
    Everything durable is written by the replicates, so Tune keeps no checkpoint: a worker that dies is started again
    and its replicates resume themselves. An error of the configuration itself ends the configuration as failed
    instead of being tried again.
    """

    def setup(self, config: dict[str, Any], work: Work | None = None) -> None:
        assert work is not None
        self.work = work
        self.dataset: EncodedDataset | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Leave the previous configuration behind entirely and take the next one."""
        self.replicates: list[Replicate] | None = None
        gc.collect()
        fresh_globals(self.work.threads)
        self.id = str(new_config["configuration"])
        view = Path(new_config["dataset"])
        if self.dataset is None or self.dataset.path != view:
            self.dataset = EncodedDataset.open(view)
        self.given = new_config
        return True

    def step(self) -> dict[str, Any]:
        began = time.perf_counter()
        try:
            report = self._advance()
        except UserError as error:
            report = self._failed(str(error))
        except Exception as error:
            self._keep_traceback()
            report = self._failed(f"{type(error).__name__}: {error}")
        return {
            "configuration": self.id,
            **report,
            "pid": os.getpid(),
            "seconds": time.perf_counter() - began,
        }

    def cleanup(self) -> None:
        self.replicates = None

    def _advance(self) -> dict[str, Any]:
        if self.replicates is None:
            self.replicates = self._open()
        active = [replicate for replicate in self.replicates if not replicate.finished]
        verdict = self.work.verdict_file(self.id)
        metrics: list[dict[str, float]] = []
        warned: set[str] = set()
        if verdict.exists():
            for replicate in active:
                replicate.close("pruned", verdict.read_text())
        elif active:
            behind = min(replicate.epoch for replicate in active)
            for replicate in active:
                if replicate.epoch == behind:
                    summary = replicate.advance()
                    metrics.append(summary.metrics)
                    warned |= {finding.rule for finding in summary.findings}
        return self._report(metrics, warned)

    def _open(self) -> list[Replicate]:
        assert self.dataset is not None
        config = TrialConfig.model_validate(self.given["config"])
        folds = {fold.name: fold for fold in self.work.folds}
        return [
            Replicate(
                config,
                self.dataset,
                folds[fold],
                seed,
                RunWriter(self.work.run),
                changes=self.given["changes"],
                objective=self.work.objective,
                device=self.work.device,
                stop_rules=self.work.stop_rules,
            )
            for fold, seed in self.given["units"]
        ]

    def _report(self, metrics: list[dict[str, float]], warned: set[str]) -> dict[str, Any]:
        assert self.replicates is not None
        statuses = {replicate.unit: replicate.status for replicate in self.replicates}
        best = [replicate.trial["objective_value"] for replicate in self.replicates]
        known = [value for value in best if value is not None and math.isfinite(value)]
        return {
            "epoch": max(replicate.epoch for replicate in self.replicates),
            "objective": sum(known) / len(known) if known else math.nan,
            "done": all(replicate.finished for replicate in self.replicates),
            "status": min(statuses.values(), key=WORST_FIRST.index),
            "statuses": statuses,
            "reason": next((r.trial["reason"] for r in self.replicates if r.trial["reason"]), ""),
            "metrics": {name: sum(m[name] for m in metrics) / len(metrics) for name in metrics[0]}
            if metrics
            else {},
            "warned": sorted(warned),
        }

    def _failed(self, sentence: str) -> dict[str, Any]:
        """Every unfinished unit ends as failed; one that could not even be built gets its row all the same."""
        statuses = {}
        built = {replicate.unit: replicate for replicate in self.replicates or []}
        for fold, seed in self.given["units"]:
            unit = f"{self.id}-{fold}-{seed}"
            if unit in built:
                if not built[unit].finished:
                    built[unit].close("failed", sentence)
                statuses[unit] = built[unit].status
            else:
                RunWriter(self.work.run).write("trials", unit, [self._failed_row(fold, seed, sentence)])
                statuses[unit] = "failed"
        return {
            "epoch": max((replicate.epoch for replicate in built.values()), default=0),
            "objective": math.nan,
            "done": True,
            "status": "failed",
            "statuses": statuses,
            "reason": sentence,
            "metrics": {},
            "warned": [],
        }

    def _failed_row(self, fold: str, seed: int, sentence: str) -> dict[str, Any]:
        return {
            "config": self.id,
            "fold": fold,
            "seed": seed,
            "status": "failed",
            "reason": sentence,
            "epochs": 0,
            "objective": self.work.objective,
            "device": self.work.device,
            "config_json": json.dumps(self.given["config"], sort_keys=True),
            "changes_json": json.dumps(self.given["changes"], sort_keys=True),
        }

    def _keep_traceback(self) -> None:
        replace_atomically(self.work.run / "errors" / f"{self.id}.txt", traceback.format_exc().encode())


def fresh_globals(threads: int) -> None:
    """Put the process-wide state that a trial could have changed back to what a new process has."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 the legacy global generator is the very thing that is reset
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
