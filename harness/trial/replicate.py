"""One replicate: a configuration on a fold with a seed, advanced an epoch at a time, durable after each."""

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import torch

from analysis.rules import Finding, UnitRecords, evaluate
from analysis.schema import PREVALENCES
from harness.audit.auditor import audit
from harness.audit.finding import fault
from harness.config.reads import Reads
from harness.config.trial import TrialConfig
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.run_store import RunWriter
from harness.stamp import SELECTION, Stamp, refuse_other
from harness.trial.branch import branch_rows, branches, leak_warning
from harness.trial.cell_facts import standardised_features
from harness.trial.checkpoint import Checkpoints
from harness.trial.evaluate import VALIDATION, CellRows, locus_bins, metric, vanished_spread
from harness.trial.feasible import check_feasible
from harness.trial.predict import Predictor, SplitScores
from harness.trial.rows import competition_rows, embedding_rows, epoch_row, prediction_rows, term_rows
from harness.trial.sampler import SAMPLERS, rng
from harness.trial.scoring import score_splits
from harness.trial.summary import REPORTED, EpochSummary
from harness.trial.trainer import Diverged, StepLog, Trainer, diverging, refuse_explosion


class Replicate:
    """(configuration, fold, seed): built or resumed from its checkpoint, `advance()`d until `finished`.

    Everything that it leaves is written atomically by `advance`: rows of the store, then the checkpoint. A killed
    replicate resumes after its last finished epoch and reaches the same rows as an uninterrupted one (bitwise, on one
    CPU with the same thread count). One replicate of a trial (configuration and fold) `audits` for all of its seeds.

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
        audits: bool = True,
        stamp: Stamp | None = None,
    ) -> None:
        self.config, self.dataset, self.fold, self.seed, self.run = config, dataset, fold, seed, run
        self.changes, self.objective, self.stop_rules = changes or {}, objective, tuple(stop_rules)
        self.device, self.audits = torch.device(device), audits
        # What acts on the configuration reads it through `settings`, so that the audit can tell which keys nothing read.
        self.reads = Reads(config)
        self.settings = settings = self.reads.view
        self.unit, self.stamp = f"{config.id}-{fold.id}-{seed}", stamp
        self.key = {"config": config.id, "fold": fold.id, "seed": seed}

        splits = split(dataset, fold)
        check_feasible(config, dataset, fold, splits)
        self.codes = codes = np.unique(dataset.cell[splits.train])
        self.trained = [dataset.cell_lines[code] for code in codes]
        self.sampler = SAMPLERS[settings.episode.sampler](
            [splits.train[dataset.cell[splits.train] == code] for code in codes],
            self.trained,
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
        self.checkpoints = Checkpoints(run.checkpoint_folder(self.unit))
        self.epoch_rows: list[dict[str, Any]] = []
        self.term_rows: list[dict[str, Any]] = []
        self.competition: list[dict[str, Any]] = []
        self.audited: list[dict[str, Any]] = []
        self.cells: list[dict[str, Any]] = []
        self.live: list[dict[str, Any]] = []
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

    def advance(self, on_step: Callable[[int, int], None] | None = None) -> EpochSummary:
        """Train and evaluate one epoch and write all of it; the last one also predicts the test split.

        `on_step(done, total)` is called after every optimiser step, for progress displays.
        """
        if self.finished:
            raise RuntimeError(f"{self.unit} is {self.status}: it cannot advance")
        began = time.perf_counter()
        epoch = self.epoch + 1
        try:
            with diverging(self.trainer):
                if epoch == 1 and self._audit("first"):
                    return self._nothing(0, began)
                logs = self._train(epoch, on_step)
                scores = self._score(("train", "val_seen", VALIDATION), draws=1, epoch=epoch)
        except Diverged as error:
            return self._diverged(epoch, str(error), began)
        rows = self.cell_rows.rows(
            scores, epoch=epoch, selection="epoch", prevalences=["as_found"], protocol="exact"
        )
        self.cells += rows
        self._log_epoch(epoch, logs, metric(rows, REPORTED["train_aupr"]), began)
        self.trial["epochs"] = epoch
        value = metric(rows, self.objective)
        if self._improves(value, epoch):
            self.trial |= {"objective_value": value, "selected_epoch": epoch}
            self.checkpoints.save(f"epoch-{epoch}", self.trainer.weights())
        findings = self.findings()
        self._note_live(findings)
        self._stop_if_told(findings, rows)
        self.trial["wall_s"] += time.perf_counter() - began
        if epoch >= self.settings.optimiser.epochs and self.status == "running":
            self.close("done")
        else:
            if self.status == "stopped":
                self._final_evaluation()
            self._write()
        return EpochSummary(
            epoch, value, {name: metric(rows, path) for name, path in REPORTED.items()}, findings
        )

    def close(self, status: str, reason: str = "") -> None:
        """End the replicate (done, pruned, failed): final evaluation of what was trained, and the last rows."""
        began = time.perf_counter()
        self.trial |= {"status": status, "reason": reason}
        if self.epoch > 0 and status in ("done", "pruned", "stopped"):
            self._final_evaluation()
        self.trial["wall_s"] += time.perf_counter() - began
        self._write()

    def findings(self) -> list[Finding]:
        """The warnings that hold on everything recorded so far."""
        return evaluate(self.records(), self.settings.limits)

    def records(self) -> UnitRecords:
        """This replicate's rows as the rules read them, from here or from the store alike."""
        return UnitRecords(
            trial=self.trial,
            epochs=pd.DataFrame(self.epoch_rows),
            terms=pd.DataFrame(self.term_rows),
            cells=pd.DataFrame(self.cells),
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

    def _log_epoch(self, epoch: int, logs: list[StepLog], train_aupr: float, began: float) -> None:
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
        self.epoch_rows.append(row)
        self.term_rows += [{**self.key, "epoch": epoch, **row} for row in term_rows(logs, self.trainer.terms)]
        if phase == 2 and "competition" in self.trainer.states:
            own = competition_rows(self.trainer.terms, self.trainer.states, self.trained)
            self.competition += [{**self.key, "epoch": epoch, **row} for row in own]

    def _note_live(self, findings: list[Finding]) -> None:
        known = {(row["rule"], row["cell_line"]) for row in self.live}
        for finding in findings:
            row = {**finding.row(), "live": True}
            if (row["rule"], row["cell_line"]) not in known:
                self.live.append(row)

    def _stop_if_told(self, findings: list[Finding], rows: list[dict[str, Any]]) -> None:
        """End early on a rule named in `stop_rules`, or when the spread of logits has vanished for two epochs."""
        named = sorted({finding.rule for finding in findings} & set(self.stop_rules))
        reason = f"warning rule {', '.join(named)} (named in stop)" if named else vanished_spread(self.cells)
        if reason is not None:
            self.trial |= {"status": "stopped", "reason": reason}

    def _final_evaluation(self) -> None:
        """Score every split with the selected and with the last weights; predictions and embeddings of the selected.

        The unit ends as diverged where a number of it, or of the last audit, is not finite.
        """
        # A copy: the trainer's own tensors are overwritten when the selected weights are loaded.
        last_weights = copy.deepcopy(self.trainer.weights())
        try:
            with diverging(self.trainer):
                self._evaluate_selections()
                self.trainer.load_weights(last_weights)
                self._audit("last")
        except Diverged as error:
            self.trainer.load_weights(last_weights)
            self.trial |= {"status": "diverged", "reason": f"after epoch {self.epoch}: {error}"}

    def _evaluate_selections(self) -> None:
        last_epoch, selected = self.epoch, int(self.trial["selected_epoch"])
        names, chooses = self.dataset.cell_lines, self.settings.predict.mode == "branch_select"
        for selection, epoch in (("last", last_epoch), ("best_on_validation", selected)):
            if selection == "best_on_validation":
                best = self.checkpoints.load(f"epoch-{selected}", self.device)
                if best is None:
                    raise RuntimeError(f"{self.unit} has no checkpoint of its selected epoch {selected}")
                self.trainer.load_weights(best)
            scores = self._score(tuple(self.pairs), draws=self.settings.support.draws, epoch=epoch)
            self.cells += self.cell_rows.rows(
                scores,
                epoch=epoch,
                selection=selection,
                prevalences=PREVALENCES,
                protocol=self.settings.evaluation.protocol,
            )
            if chooses:
                self.cells += branch_rows(self.cells, scores["test"], names, selection)
        self.trial["rank_invariant"] = self._rank_invariant(scores)
        chosen = branches(self.cells, "best_on_validation") if chooses else {}
        if chooses:
            self.live.append(leak_warning(self.cells, selected))
        self.run.write("predictions", self.unit, prediction_rows(scores, names, self.key, chosen))
        if self.trainer.model.has_environment:
            self.run.write("embeddings", self.unit, embedding_rows(scores, names, self.key))

    def _rank_invariant(self, scores: dict[str, SplitScores]) -> bool:
        if self.trainer.schedule.phase(int(self.trial["selected_epoch"])) == 1:
            return True
        r = torch.from_numpy(np.concatenate([split.r for split in scores.values()]))
        return self.trainer.model.rank_invariant(r.to(self.device))

    def _audit(self, moment: str) -> bool:
        """Judge every configured mechanism on clones; True when that stops the trial (strict, at its first steps)."""
        mode = self.settings.audit if self.audits else "off"
        if mode == "off" or any(row["moment"] == moment for row in self.audited):
            return False
        given = (self.trainer, self.sampler, self.predictor, self.codes)
        found = audit(*given, first=moment == "first", reads=self.reads)
        self.audited += [finding.row(moment, found.cost) for finding in found.findings]
        reason = fault(found.findings)
        if reason is None or moment != "first" or mode != "strict":
            return False
        self.trial |= {"status": "stopped", "reason": reason}
        return True

    def _diverged(self, epoch: int, reason: str, began: float) -> EpochSummary:
        self.trial |= {"status": "diverged", "reason": f"epoch {epoch}: {reason}"}
        return self._nothing(epoch, began)

    def _nothing(self, epoch: int, began: float) -> EpochSummary:
        """Write what there is of an epoch that gave nothing."""
        self.trial["wall_s"] += time.perf_counter() - began
        self._write()
        return EpochSummary(epoch, float("nan"), dict.fromkeys(REPORTED, float("nan")), self.findings())

    def _write(self) -> None:
        """Rows first, then the checkpoint that makes them final: a kill in between only repeats the epoch."""
        if self.finished:
            self.trial["finished"] = datetime.now(UTC)
        self.run.write("epochs", self.unit, self.epoch_rows)
        self.run.write("terms", self.unit, self.term_rows)
        if self.competition:
            self.run.write("competition", self.unit, self.competition)
        if self.audited:
            self.run.write("audit", self.unit, [{**self.key, **row} for row in self.audited])
        self.run.write("cells", self.unit, [{**self.key, **row} for row in self.cells])
        self.run.write("warnings", self.unit, [{**self.key, **row} for row in self.live])
        self.run.write("trials", self.unit, [self.trial])
        # A finished replicate never steps again, so its optimiser (two thirds of the file) is not kept.
        trainer = self.trainer.weights() if self.finished else self.trainer.state_dict()
        self.checkpoints.save("last", {"trainer": trainer, "records": json.dumps(self._records())})
        self.checkpoints.keep("last", f"epoch-{self.trial['selected_epoch']}")

    def _records(self) -> dict[str, Any]:
        trial = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in self.trial.items()}
        return {
            "trial": trial,
            "epochs": self.epoch_rows,
            "terms": self.term_rows,
            "competition": self.competition,
            "audit": self.audited,
            "reads": sorted(self.reads.seen),
            "cells": self.cells,
            "warnings": self.live,
        }

    def _resume(self) -> None:
        state = self.checkpoints.load("last", self.device)
        if state is None:
            self.run.write("trials", self.unit, [self.trial])
            return
        records = json.loads(state["records"])
        trial = records["trial"]
        refuse_other(self.stamp, trial, self.run.path, self.unit)
        for name in ("started", "finished"):
            trial[name] = None if trial[name] is None else datetime.fromisoformat(trial[name])
        self.trial = trial
        if self.finished:
            self.trainer.load_weights(state["trainer"])
        else:
            self.trainer.load_state_dict(state["trainer"])
        self.epoch_rows, self.term_rows = records["epochs"], records["terms"]
        self.competition = records.get("competition", [])
        self.audited = records.get("audit", [])
        self.reads.resume(records.get("reads"))
        self.cells, self.live = records["cells"], records["warnings"]
