"""One unit: a configuration on a fold with a seed, advanced an epoch at a time, durable after each."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from analysis.errors import UserError
from analysis.reported import AUDIT_STOP
from analysis.rules import Finding, UnitRecords, evaluate
from harness.config.blocks.reads import Reads
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.stamp.stamp import Stamp, refuse_other
from harness.store.writer import RunWriter
from harness.trial.clock import Clock
from harness.trial.episodes.cell_facts import presented_features
from harness.trial.episodes.drawn import drawn
from harness.trial.episodes.feasible import check_feasible
from harness.trial.episodes.sampler import EpisodeBatch, build_sampler
from harness.trial.evaluation import Evaluation
from harness.trial.facts import scoring_facts
from harness.trial.inspection import Inspect, Inspections, Subject
from harness.trial.live import LiveWarnings
from harness.trial.mechanism_record import MechanismRecord
from harness.trial.prefix import Prefix, SharedEpoch, circumstances, pools_of
from harness.trial.record import Record
from harness.trial.records import Row, Tables, first_row, training_tables
from harness.trial.score.evaluate import metric
from harness.trial.score.predict import Predictor
from harness.trial.selection import improves
from harness.trial.step.diverged import Diverged, diverging, refuse_explosion
from harness.trial.step.trainer import StepLog, Trainer
from harness.trial.summary import REPORTED, EpochSummary
from harness.trial.taking import Epoch, StepRequest, Take, take_alone
from models.streams import other_streams

OnStep = Callable[[int, int], None]
"""on_step(done, total), called after every optimiser step of an epoch, for progress displays."""


class UnitRun:
    """(configuration, fold, seed): built or resumed from its checkpoint, `advance()`d until `finished`.

    Everything that it leaves is written through its `record`: rows into its log, then the checkpoint. A killed or failed
    unit resumes after its last finished epoch and reaches the same rows as an uninterrupted one (bitwise, on one CPU
    with the same thread count); it has ended when everything else is written. What it keeps in memory of the epochs before
    does not grow with them. `inspector` makes what looks at the unit, batch by batch; `twins`: it judges the mechanisms as
    well, for all seeds of its trial (configuration and fold). Without one nothing is audited, whatever is configured.
    `shares`: phase 1 is taken from, or left for, other units of the run (`harness.trial.prefix`).

    Raises UserError when the fold cannot serve the configuration, or the checkpoint has another `stamp`.
    """

    def __init__(
        self,
        config: ConfigurationBlock,
        dataset: EncodedDataset,
        fold: Fold,
        seed: int,
        run: RunWriter,
        *,
        changes: dict[str, Any] | None = None,
        objective: str = "val_unseen/macro/aupr",
        device: str = "cpu",
        stop_rules: Sequence[str] = (),
        inspector: Inspect | None = None,
        twins: bool = True,
        stamp: Stamp | None = None,
        shares: bool = False,
    ) -> None:
        self.config, self.dataset, self.fold, self.seed, self.run = config, dataset, fold, seed, run
        self.objective, self.device, self.stamp = objective, torch.device(device), stamp
        # What acts on the configuration reads it through `settings`, so that the audit can tell which keys nothing read.
        self.reads = Reads(config)
        self.settings, first = self.reads.view, self.reads.first
        settings = self.settings
        self.unit = f"{config.id}-{fold.id}-{seed}"

        stream = other_streams(seed, first.streams)
        splits = split(dataset, fold)
        check_feasible(config, dataset, fold, splits)
        self.codes = codes = np.unique(dataset.cell[splits.train])
        self.trained = [dataset.cell_lines[code] for code in codes]
        self.sampler = build_sampler(first, pools_of(dataset, codes, splits.train), self.trained, stream)
        self._trainable = np.isin(np.arange(len(dataset)), splits.train)
        self.trainer = Trainer(settings, dataset, codes, stream, self.device, self.reads)
        self._facts = scoring_facts(config, dataset, codes, stream)
        self._mechanisms = MechanismRecord(self.trainer)
        self.predictor = Predictor(
            dataset.cell_lines,
            {int(code): index for index, code in enumerate(codes)},
            support_size=settings.support.size,
            seed=stream,
            device=self.device,
            v=presented_features(config, dataset, codes, stream),
        )
        self.inspections = Inspections(settings.audit if inspector is not None else "off")
        self.evaluation = Evaluation(
            settings, dataset, splits, self.trainer, self.predictor, scored=self.inspections.scored
        )
        self.record = Record(run, self.unit, self.device)
        context = circumstances(fold, stream, dataset, stamp, self.device)
        self.prefix = Prefix(run, self.unit, self.trainer, self.reads, context, on=shares)
        self.live = LiveWarnings(settings.limits, stop_rules)
        parts = (self.trainer, self.sampler, self.predictor, codes, self.reads)
        self.subject = Subject(*parts, config, fold, splits.train, self.evaluation.pairs)
        self.inspections.begin(inspector, self.subject, twins=twins)
        self._began = Clock.now()
        """When the epoch began, less the time in which other units ran."""
        self._stop: str | None = None
        """Why it ends early, once that is decided."""
        self.row = first_row(
            config,
            fold,
            dataset,
            splits,
            self.trainer,
            seed=seed,
            changes=changes or {},
            objective=objective,
            stamp=stamp,
        )
        self._resume()

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return int(self.row["epochs"])

    @property
    def status(self) -> str:
        return str(self.row["status"])

    @property
    def finished(self) -> bool:
        return self.status != "running"

    @property
    def stopped_by_audit(self) -> bool:
        """Whether a strict audit, of this unit or of another one of its trial, ended it."""
        return self.status == "stopped" and str(self.row["reason"]).startswith(AUDIT_STOP)

    @property
    def audited(self) -> list[Row]:
        """Rows of `audit` so far."""
        return self.inspections.rows

    def advance(self, on_step: OnStep | None = None) -> EpochSummary:
        """Train and evaluate one epoch and write all of it; the last one also predicts the test split. A unit that
        was killed after its last epoch only does what is left of its end."""
        return take_alone(self.epoch_steps(on_step), self.trainer)

    def epoch_steps(self, on_step: OnStep | None = None) -> Epoch:
        """The same for one who takes the trainer's steps as they are asked for."""
        if self.finished:
            raise RuntimeError(f"{self.unit} is {self.status}: it cannot advance")
        if self._is_trained():
            self.close("done" if self._stop is None else "stopped", self._stop or "")
            return self._summary()
        self._began = Clock.now()
        epoch = self.epoch + 1
        try:
            with diverging(self.trainer.weights):
                if epoch == 1:
                    self.inspections.first()
                logs = yield from self._train(epoch, on_step)
                if logs is None:
                    return self._halted(self._began)
                cells = self.evaluation.of_epoch(epoch)
        except Diverged as error:
            return self._nothing(epoch, self._began, "diverged", f"epoch {epoch}: {error}")
        tables: Tables = {"cells": cells, **self._training_tables(epoch, logs, cells, self._began)}
        self.row["epochs"] = epoch
        value = metric(cells, self.objective)
        if improves(self.row, value, epoch, self.trainer.schedule.phase):
            self.row |= {"objective_value": value, "selected_epoch": epoch}
            weights = {**self.trainer.weights(), "facts": self._facts}
            self.record.checkpoints.save(f"epoch-{epoch}", weights)
        self._leave_prefix(epoch, logs)
        tables["audit"] = self.inspections.taken()
        tables["warnings"], self._stop = self.live.see(self.row, tables)
        self._stop = self.inspections.fault or self._stop
        self.row["wall_s"] += self._began.wall
        self.record.epoch(self.row, tables, self.trainer.state_dict(), self._state())
        if self._is_trained():
            self.close("done" if self._stop is None else "stopped", self._stop or "")
        return self._summary(cells, tables["epochs"][-1]["loss"])

    def close(self, status: str, reason: str = "") -> None:
        """End the unit (done, stopped, pruned, failed): final evaluation of what was trained, and the last rows.

        What the audit calls a fault at the end makes it `stopped` (strict). The status is the last thing that is
        written: whatever fails before, the unit has not ended.
        """
        began = Clock.now()
        if self.epoch > 0 and status in ("done", "pruned", "stopped"):
            scored = False
            try:
                with diverging(self.trainer.weights):
                    self._final_evaluation()
                    scored = True
                    self.inspections.ended(self.record)
            except Diverged as error:
                status, reason = "diverged", f"after epoch {self.epoch}, in its last evaluation: {error}"
                if scored:
                    reason = f"after epoch {self.epoch}, in the audit at its end: {error}"
            else:
                if self.inspections.fault is not None:
                    status, reason = "stopped", self.inspections.fault
        self._end(status, reason, began)

    def findings(self) -> list[Finding]:
        """The warnings that hold on everything recorded so far, the final evaluation included."""
        return evaluate(self.records(), self.settings.limits)

    def rows(self, table: str) -> list[Row]:
        """Rows of a table so far, read from the log."""
        return self.record.rows(table)

    def records(self) -> UnitRecords:
        """This unit's rows as the rules read them, from here or from the store alike."""
        return UnitRecords(
            row=self.row,
            epochs=self.rows("epochs"),
            terms=self.rows("terms"),
            mechanisms=self.rows("mechanisms"),
            cells=self.rows("cells"),
            reports=self.rows("reports"),
            audit=self.rows("audit"),
        )

    def _is_trained(self) -> bool:
        """Whether there is no epoch left to train, only the end to write."""
        last = self.epoch >= self.settings.optimiser.epochs
        return self.epoch > 0 and (last or self._stop is not None)

    def _train(
        self, epoch: int, on_step: OnStep | None
    ) -> Generator[StepRequest, Take, list[StepLog] | None]:
        """The steps of an epoch, of phase 1 maybe another unit's; None where the audit ended them."""
        logs: list[StepLog] = []
        shared: SharedEpoch | None = None
        for position, batch in enumerate(drawn(self.sampler, epoch)):
            self._refuse_others(batch)
            shared = shared or self.prefix.offered(
                epoch, position, self.sampler.steps, inspected=self.inspections.looks
            )
            if shared is not None:
                self.inspections.passed(batch, epoch)
            else:
                logs += yield from self._stepped(batch, epoch, position)
            if self.inspections.fault is not None:
                return None
            if on_step is not None:
                on_step(position + 1, self.sampler.steps)
        if shared is not None:
            logs = shared.logs
            self.inspections.shared(shared.inspection)
            if self.inspections.fault is not None:
                return None
            if shared.unit != self.unit:
                self.row |= {"shared_epochs": self.row["shared_epochs"] + 1, "phase1_of": shared.unit}
        refuse_explosion([log.values["task"] for log in logs])
        return logs

    def _stepped(
        self, batch: EpisodeBatch, epoch: int, position: int
    ) -> Generator[StepRequest, Take, list[StepLog]]:
        """One step, looked at before and after; none where the audit ends the unit before it."""
        progress = epoch - 1 + position / self.sampler.steps
        self.inspections.before_step(batch, epoch, progress)
        if self.inspections.fault is not None:
            return []
        warm = self.trainer.schedule.phase(epoch) == 1
        with self.reads.in_phase1() if warm else contextlib.nullcontext():
            asked = Clock.now()
            take = yield StepRequest(batch, progress, position == self.sampler.steps - 1)
            taken = take()
            self._began = self._began.without(asked.wall - taken.wall, asked.cpu - taken.cpu)
        self.inspections.after_step(taken.log)
        return [taken.log]

    def _leave_prefix(self, epoch: int, logs: list[StepLog]) -> None:
        """Leave an epoch of phase 1 for other units, unless it is theirs or the audit had something to say of it."""
        if not self.inspections.complained:
            self.prefix.leave(epoch, logs, self.inspections.seen())
        self.record.notes += self.prefix.notes
        self.prefix.notes.clear()

    def _refuse_others(self, batch: EpisodeBatch) -> None:
        """Raise UserError for a batch with a pair that the fold does not train on."""
        pairs = np.concatenate([batch.support.ravel(), batch.query.ravel()])
        others = pairs[~self._trainable[pairs]]
        if len(others):
            raise UserError(
                f"episode.sampler: {self.settings.episode.sampler} draws {len(others)} pairs that are no training pairs of "
                f"fold {self.fold.name}, pair {others[0]} among them"
            )

    def _refuse_other_features(self) -> None:
        """Raise UserError where the unit began on other features of a frozen sequence side than there are now."""
        frozen, before = self.dataset.frozen, self.row.get("features")
        if frozen is not None and before != frozen.digest:
            raise UserError(
                f"{self.run.path}: unit {self.unit} was trained on features {str(before)[:12]} of its frozen "
                "sequence side, and "
                f"those in {frozen.path} are {frozen.digest[:12]}: the side was trained anew; give another --out"
            )

    def _training_tables(self, epoch: int, logs: list[StepLog], cells: list[Row], began: Clock) -> Tables:
        measured = {
            "train_aupr": metric(cells, REPORTED["train_aupr"]),
            "wall_s": began.wall,
            "cpu_s": began.cpu,
        }
        if self.settings.temperature.mode == "calibrated":
            fitted = self.trainer.schedule.phase(epoch) == 2
            measured["temperature"] = self.evaluation.calibration if fitted else 1.0
        tables = training_tables(epoch, logs, self.trainer, self.trained, **measured)
        return {**tables, "mechanisms": self._mechanisms.rows(epoch, logs, measured.get("temperature"))}

    def _final_evaluation(self) -> None:
        selected = int(self.row["selected_epoch"])
        self.row["rank_invariant"] = self.evaluation.at_the_end(
            self.record, last=self.epoch, selected=selected
        )

    def _halted(self, began: Clock) -> EpochSummary:
        """End where the audit says so, before the first step or among those of an epoch: what was trained up to the last
        whole epoch is evaluated."""
        reason = str(self.inspections.fault)
        if self.epoch == 0:
            return self._nothing(0, began, "stopped", reason)
        whole = self.record.checkpoints.load("last", self.device)
        if whole is None:
            raise RuntimeError(f"{self.unit} has no checkpoint of its epoch {self.epoch}")
        self.trainer.load_weights(whole["trainer"])
        self.row["wall_s"] += began.wall
        self.close("stopped", reason)
        return self._summary()

    def _nothing(self, epoch: int, began: Clock, status: str, reason: str) -> EpochSummary:
        """End with an epoch that gave nothing."""
        self._end(status, reason, began)
        return EpochSummary.of(epoch, [], self.objective, self.live.findings(), float("nan"))

    def _summary(self, cells: list[Row] | None = None, loss: float | None = None) -> EpochSummary:
        """Of the epoch before, from its rows of `cells` and its loss (None: those in the log)."""
        if cells is None:
            here = (self.epoch, "epoch")
            cells = [row for row in self.rows("cells") if (row["epoch"], row["selection"]) == here]
        loss = self.rows("epochs")[-1]["loss"] if loss is None else loss
        return EpochSummary.of(self.epoch, cells, self.objective, self.live.findings(), loss)

    def _end(self, status: str, reason: str, began: Clock) -> None:
        """Write what is left and how it ended; it has ended when that is on disk."""
        ended = {
            **self.row,
            "status": status,
            "reason": reason,
            "wall_s": self.row["wall_s"] + began.wall,
            "finished": datetime.now(UTC),
        }
        if reason.startswith(AUDIT_STOP):
            ended["objective_value"] = None  # what the audit stopped says nothing of what was configured
        self.record.add("audit", self.inspections.taken())
        self.record.end(ended, self.trainer.weights(), self._state())
        self.row = ended

    def _state(self) -> Row:
        """What the next epoch needs to know of those before, beside the trainer's state and the log."""
        return {
            "live": self.live.state(),
            "stop": self._stop,
            "reads": sorted(self.reads.seen),
            "audit": self.inspections.state(),
        }

    def _resume(self) -> None:
        reached = self.record.find()
        if reached is None:
            self.record.begin(self.row)
            return
        self.row = dict(reached.log.row)
        refuse_other(self.stamp, self.row, self.run.path, self.unit)
        self._refuse_other_features()
        self.inspections.resume(reached.log.rows("audit"), reached.state.get("audit", {}))
        self.live.resume(reached.log.rows("warnings"), reached.state.get("live", {}))
        self._stop = reached.state.get("stop")
        if reached.trainer is not None and self.finished:
            self.trainer.load_weights(reached.trainer)
        elif reached.trainer is not None:
            self.trainer.load_state_dict(reached.trainer)
        self.reads.resume(reached.state.get("reads"))
