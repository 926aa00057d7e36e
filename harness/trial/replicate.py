"""One replicate: a configuration on a fold with a seed, advanced an epoch at a time, durable after each."""

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from analysis.rules import Finding, UnitRecords, evaluate
from analysis.schema import PREVALENCES, to_table
from harness.config.blocks.reads import Reads
from harness.config.blocks.trial import TrialConfig
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.stamp.stamp import SELECTION, Stamp, refuse_other
from harness.store.writer import RunWriter
from harness.trial.episodes.cell_facts import standardised_features
from harness.trial.episodes.feasible import check_feasible
from harness.trial.episodes.sampler import SAMPLERS, rng
from harness.trial.inspection import Inspector, Moment, Subject
from harness.trial.live import LiveWarnings
from harness.trial.record import Record
from harness.trial.score.branch import branch_rows, branches, leak_warning
from harness.trial.score.evaluate import VALIDATION, CellRows, locus_bins, metric
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.score.rows import embedding_rows, epoch_row, prediction_rows, report_rows, term_rows
from harness.trial.score.scoring import score_splits
from harness.trial.step.trainer import Diverged, StepLog, Trainer, diverging, refuse_explosion
from harness.trial.summary import REPORTED, EpochSummary


class Replicate:
    """(configuration, fold, seed): built or resumed from its checkpoint, `advance()`d until `finished`.

    Everything that it leaves is written by `advance` through its `record`: rows into its log, then the checkpoint. A
    killed or failed replicate resumes after its last finished epoch and reaches the same rows as an uninterrupted one
    (bitwise, on one CPU with the same thread count); it has ended when everything else is written. What it keeps in
    memory of the epochs before does not grow with them. One replicate of a trial (configuration and fold) has an
    `inspector`, for all of its seeds; what has none is not audited, whatever its configuration says.

    Raises
    ------
    UserError
        when the fold cannot serve the configuration, or the checkpoint has another `stamp`.
    """

    def __init__(
        self,
        config: TrialConfig,
        dataset: EncodedDataset,
        fold: Fold,
        seed: int,
        run: RunWriter,
        *,
        changes: dict[str, Any] | None = None,
        objective: str = "val_unseen/macro/aupr",
        device: str = "cpu",
        stop_rules: Sequence[str] = (),
        inspector: Inspector | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        self.config, self.dataset, self.fold, self.seed, self.run = config, dataset, fold, seed, run
        self.changes, self.objective = changes or {}, objective
        self.device, self.inspector = torch.device(device), inspector
        # What acts on the configuration reads it through `settings`, so that the audit can tell which keys nothing read.
        self.reads = Reads(config)
        self.settings = settings = self.reads.view
        self.unit, self.stamp = f"{config.id}-{fold.id}-{seed}", stamp
        self.key = {"config": config.id, "fold": fold.id, "seed": seed}

        splits = split(dataset, fold)
        check_feasible(config, dataset, fold, splits)
        self.codes = codes = np.unique(dataset.cell[splits.train])
        self.trained = [dataset.cell_lines[code] for code in codes]
        self.sampler = SAMPLERS.build(
            settings.episode.sampler,
            pools=[splits.train[dataset.cell[splits.train] == code] for code in codes],
            names=self.trained,
            support=settings.support.size,
            query=settings.episode.query,
            per_step=settings.episode.per_step,
            steps_per_epoch=settings.optimiser.steps_per_epoch,
            seed=seed,
        )
        self.pairs = {
            "train": self._training_subset(splits.train),
            "val_seen": splits.val_seen,
            VALIDATION: splits.val_unseen,
            "test": splits.test,
        }
        self.trainer = Trainer(settings, dataset, codes, seed, self.device)
        self.predictor = Predictor(
            dataset.cell_lines,
            {int(code): index for index, code in enumerate(codes)},
            support_size=settings.support.size,
            seed=seed,
            device=self.device,
            v=standardised_features(config, dataset, codes),
        )
        self.calibration = 1.0
        self.cell_rows = CellRows(dataset.cell_lines, seed, locus_bins(dataset))
        self.record = Record(run, self.unit, self.device)
        self.checkpoints = self.record.checkpoints
        self.live = LiveWarnings(settings.limits, stop_rules)
        self.audited: list[dict[str, Any]] = []
        self._stop: str | None = None
        """Why it ends early, once that is decided."""
        self._new: dict[str, list[dict[str, Any]]] = {}
        self._whole: dict[str, pa.Table] = {}
        self.trial: dict[str, Any] = {
            **self.key,
            "status": "running",
            "reason": "",
            "epochs": 0,
            "selected_epoch": None,
            "selection": SELECTION,
            "objective": objective,
            "objective_value": None,
            "parameters": sum(p.numel() for p in self.trainer.parameters if p.requires_grad),
            "train_pairs": len(splits.train),
            "wall_s": 0.0,
            "started": datetime.now(UTC),
            "finished": None,
            "device": str(self.device),
            "bitwise": self.device.type == "cpu",
            "config_json": json.dumps(config.canonical(), sort_keys=True),
            "changes_json": json.dumps(self.changes, sort_keys=True),
            "fold_json": json.dumps(fold.content(), sort_keys=True),
            "rank_invariant": None,
            "train_prevalence": float(dataset.label[splits.train].mean()),
            **(stamp.row() if stamp else {}),
        }
        self._resume()

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return int(self.trial["epochs"])

    @property
    def status(self) -> str:
        return str(self.trial["status"])

    @property
    def finished(self) -> bool:
        return self.status != "running"

    def _is_trained(self) -> bool:
        """Whether there is no epoch left to train, only the end to write."""
        last = self.epoch >= self.settings.optimiser.epochs
        return self.epoch > 0 and (last or self._stop is not None)

    def advance(self, on_step: Callable[[int, int], None] | None = None) -> EpochSummary:
        """Train and evaluate one epoch and write all of it; the last one also predicts the test split. A replicate that
        was killed after its last epoch only does what is left of its end.

        `on_step(done, total)` is called after every optimiser step, for progress displays.
        """
        if self.finished:
            raise RuntimeError(f"{self.unit} is {self.status}: it cannot advance")
        if self._is_trained():
            self.close("done" if self._stop is None else "stopped", self._stop or "")
            return self._summary()
        began = time.perf_counter()
        epoch = self.epoch + 1
        try:
            with diverging(self.trainer):
                if epoch == 1 and (reason := self._audit("first")):
                    return self._nothing(0, began, "stopped", reason)
                logs = self._train(epoch, on_step)
                scores = self._score(("train", "val_seen", VALIDATION), draws=1, epoch=epoch)
        except Diverged as error:
            return self._nothing(epoch, began, "diverged", f"epoch {epoch}: {error}")
        rows = self.cell_rows.rows(
            scores, epoch=epoch, selection="epoch", prevalences=["as_found"], protocol="exact"
        )
        tables = {"cells": rows, **self._log_epoch(epoch, logs, metric(rows, REPORTED["train_aupr"]), began)}
        self.trial["epochs"] = epoch
        value = metric(rows, self.objective)
        if self._improves(value, epoch):
            self.trial |= {"objective_value": value, "selected_epoch": epoch}
            self.checkpoints.save(f"epoch-{epoch}", self.trainer.weights())
        tables["warnings"], self._stop = self.live.see(self.trial, tables)
        self.trial["wall_s"] += time.perf_counter() - began
        self.record.epoch(self.trial, {**self._new, **tables}, self.trainer.state_dict(), self._state())
        self._new.clear()
        if self._is_trained():
            self.close("done" if self._stop is None else "stopped", self._stop or "")
        return self._summary(rows, tables["epochs"][-1]["loss"])

    def close(self, status: str, reason: str = "") -> None:
        """End the replicate (done, stopped, pruned, failed): final evaluation of what was trained, and the last rows.

        The status is the last thing that is written: whatever fails before, the replicate has not ended.
        """
        began = time.perf_counter()
        if self.epoch > 0 and status in ("done", "pruned", "stopped"):
            try:
                with diverging(self.trainer):
                    self._final_evaluation()
                    self._audit("last")
            except Diverged as error:
                status, reason = "diverged", f"after epoch {self.epoch}, in its last evaluation: {error}"
        self._end(status, reason, began)

    def findings(self) -> list[Finding]:
        """The warnings that hold on everything recorded so far, the final evaluation included."""
        return evaluate(self.records(), self.settings.limits)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows of a table so far, read from the log."""
        return self.record.rows(table)

    def records(self) -> UnitRecords:
        """This replicate's rows as the rules read them, from here or from the store alike."""
        return UnitRecords(
            trial=self.trial,
            epochs=self.rows("epochs"),
            terms=self.rows("terms"),
            cells=self.rows("cells"),
        )

    def _training_subset(self, train: np.ndarray) -> np.ndarray:
        """A fixed subset of training pairs, in the proportions of the cell lines by chance, from its own stream."""
        size = min(self.settings.evaluation.train_subset, len(train))
        return np.sort(rng(self.seed, "train_subset").choice(train, size=size, replace=False))

    def _train(self, epoch: int, on_step: Callable[[int, int], None] | None) -> list[StepLog]:
        logs = []
        for position, batch in enumerate(self.sampler.epoch(epoch)):
            progress = epoch - 1 + position / self.sampler.steps
            logs.append(self.trainer.step(batch, progress=progress, probe=position == self.sampler.steps - 1))
            if on_step is not None:
                on_step(position + 1, self.sampler.steps)
        refuse_explosion(logs)
        return logs

    def _score(self, splits: Sequence[str], *, draws: int, epoch: int) -> dict[str, SplitScores]:
        """Score splits with the trainer's present weights, and keep the temperature that this fitted."""
        scores, temperature = score_splits(
            self.trainer, self.predictor, self.pairs, splits, draws=draws, epoch=epoch
        )
        self.calibration = self.calibration if temperature is None else temperature
        return scores

    def _improves(self, value: float, epoch: int) -> bool:
        """Whether this epoch is the best so far; epochs of phase 1, where l = U_I, give way to any of phase 2."""
        best, selected = self.trial["objective_value"], self.trial["selected_epoch"]
        phase = self.trainer.schedule.phase
        if selected is None or phase(selected) < phase(epoch):
            return True
        if not math.isfinite(value) or not math.isfinite(best):
            return math.isfinite(value)
        return bool(value < best if self.objective.endswith(("nll", "brier", "ece")) else value > best)

    def _log_epoch(
        self, epoch: int, logs: list[StepLog], train_aupr: float, began: float
    ) -> dict[str, list[dict[str, Any]]]:
        """An epoch's rows of `epochs`, `terms` and `competition`."""
        phase = self.trainer.schedule.phase(epoch)
        row = {
            **self.key,
            **epoch_row(logs),
            "epoch": epoch,
            "phase": phase,
            "step": self.trainer.index,
            "lr": self.config.optimiser.lr,
            "wall_s": time.perf_counter() - began,
            "train_aupr": train_aupr,
        }
        if self.settings.temperature.mode == "calibrated":
            row["temperature"] = self.calibration if phase == 2 else 1.0
        tables = {
            "epochs": [row],
            "terms": [{**self.key, "epoch": epoch, **row} for row in term_rows(logs, self.trainer.terms)],
        }
        reports = report_rows(self.trainer, logs[-1].weights, self.trained)
        if reports:
            tables["reports"] = [{**self.key, "epoch": epoch, **row} for row in reports]
        return tables

    def _final_evaluation(self) -> None:
        """Score every split with the selected and with the last weights; predictions and embeddings of the selected."""
        # A copy: the trainer's own tensors are overwritten when the selected weights are loaded.
        last_weights = copy.deepcopy(self.trainer.weights())
        try:
            self._evaluate_selections()
        finally:
            self.trainer.load_weights(last_weights)

    def _evaluate_selections(self) -> None:
        last_epoch, selected = self.epoch, int(self.trial["selected_epoch"])
        names, chooses = self.dataset.cell_lines, self.settings.predict.mode == "branch_select"
        cells: list[dict[str, Any]] = []
        self._new["cells"] = cells
        for selection, epoch in (("last", last_epoch), ("best_on_validation", selected)):
            if selection == "best_on_validation":
                best = self.checkpoints.load(f"epoch-{selected}", self.device)
                if best is None:
                    raise RuntimeError(f"{self.unit} has no checkpoint of its selected epoch {selected}")
                self.trainer.load_weights(best)
            scores = self._score(tuple(self.pairs), draws=self.settings.support.draws, epoch=epoch)
            cells += self.cell_rows.rows(
                scores,
                epoch=epoch,
                selection=selection,
                prevalences=PREVALENCES,
                protocol=self.settings.evaluation.protocol,
            )
            if chooses:
                cells += branch_rows(cells, scores["test"], names, selection)
        self.trial["rank_invariant"] = self._rank_invariant(scores)
        chosen = branches(cells, "best_on_validation") if chooses else {}
        if chooses:
            self._new["warnings"] = [leak_warning(cells, selected)]
        predictions = prediction_rows(scores, names, self.key, chosen)
        self._whole["predictions"] = to_table("predictions", predictions)
        if self.trainer.model.has_environment:
            self._whole["embeddings"] = to_table("embeddings", embedding_rows(scores, names, self.key))

    def _rank_invariant(self, scores: dict[str, SplitScores]) -> bool:
        if self.trainer.schedule.phase(int(self.trial["selected_epoch"])) == 1:
            return True
        r = torch.from_numpy(np.concatenate([split.r for split in scores.values()]))
        return self.trainer.model.rank_invariant(r.to(self.device))

    def _audit(self, moment: Moment) -> str | None:
        """Judge every configured mechanism on clones; why that stops the trial (strict, at its first steps), or None.

        Raises Diverged where a clone does.
        """
        mode = "off" if self.inspector is None else self.settings.audit
        if self.inspector is None or mode == "off" or any(row["moment"] == moment for row in self.audited):
            return None
        subject = Subject(self.trainer, self.sampler, self.predictor, self.codes, self.reads)
        inspection = self.inspector(subject, moment)
        self._new["audit"] = inspection.rows
        self.audited += inspection.rows
        return inspection.fault if moment == "first" and mode == "strict" else None

    def _nothing(self, epoch: int, began: float, status: str, reason: str) -> EpochSummary:
        """End with an epoch that gave nothing."""
        self._end(status, reason, began)
        return EpochSummary(epoch, float("nan"), dict.fromkeys(REPORTED, float("nan")), self.live.findings())

    def _summary(self, rows: list[dict[str, Any]] | None = None, loss: float | None = None) -> EpochSummary:
        """Of the epoch before, from its rows of `cells` (None: those in the log)."""
        if rows is None:
            rows = [
                row for row in self.rows("cells") if (row["epoch"], row["selection"]) == (self.epoch, "epoch")
            ]
        loss = self.rows("epochs")[-1]["loss"] if loss is None else loss
        metrics = {name: metric(rows, path) for name, path in REPORTED.items()}
        return EpochSummary(self.epoch, metric(rows, self.objective), metrics, self.live.findings(), loss)

    def _end(self, status: str, reason: str, began: float) -> None:
        """Write what is left and how it ended; it has ended when that is on disk."""
        ended = {
            **self.trial,
            "status": status,
            "reason": reason,
            "wall_s": self.trial["wall_s"] + time.perf_counter() - began,
            "finished": datetime.now(UTC),
        }
        self.record.end(ended, self._new, self._whole, self.trainer.weights(), self._state())
        self.trial = ended

    def _state(self) -> dict[str, Any]:
        """What the next epoch needs to know of those before, beside the trainer's state and the log."""
        return {"live": self.live.state(), "stop": self._stop, "reads": sorted(self.reads.seen)}

    def _resume(self) -> None:
        found = self.record.find()
        if found is None:
            self.record.begin(self.trial)
            return
        self.trial = dict(found.log.trial)
        refuse_other(self.stamp, self.trial, self.run.path, self.unit)
        self.audited = found.log.rows("audit")
        self.live.resume(found.log.rows("warnings"), found.state.get("live", {}))
        self._stop = found.state.get("stop")
        if found.trainer is not None and self.finished:
            self.trainer.load_weights(found.trainer)
        elif found.trainer is not None:
            self.trainer.load_state_dict(found.trainer)
        self.reads.resume(found.state.get("reads"))
