"""The ledger of a unit as it runs: stored scores against an energy that nothing of the model computes (check 7)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from analysis.ledger.recompute import recompute, unknown_form
from analysis.ledger.run import unit_ledger
from analysis.ledger.unit import UnitLedger
from analysis.ledger.verify import verify_unit, written_hash
from analysis.schema import to_table
from harness.audit.energy_witness import EnergyWitness, unseen_rows
from harness.audit.finding import MechanismFinding
from harness.audit.made_up_scores import strange_rows
from harness.audit.rescoring import Rescored, rescored, sample, trainer_of_file
from harness.audit.scored_figures import ScoredFigures
from harness.audit.stored_pairs import strange_embeddings, strange_pairs, strange_unit
from harness.audit.stored_vectors import strange_outputs, strange_vectors
from harness.trial.inspection import Subject
from harness.trial.record import Record
from harness.trial.score.ledger import ledger_row
from harness.trial.score.predict import SplitScores
from harness.trial.step.trainer import Trainer

COLUMNS = ("u", "r", "t", "logit")
CLOSE = 1e-4
"""Difference of a raw R_E from its linear map, relative to 1 + its size."""


class Ledger:
    """Check 7 of one unit. It listens to the trainer's energy from the beginning, and looks at what is scored after each
    epoch and at what is on disk as the unit ends."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.witness = EnergyWitness(subject.trainer.model.energy)
        self.figures = ScoredFigures(subject.trainer.dataset)
        self._asked = False
        self.last: Mapping[str, SplitScores] = {}
        """Of the latest scoring: at the end those of the selected epoch."""

    def scored(self, scores: Mapping[str, SplitScores], epoch: int) -> list[MechanismFinding]:
        """What a scoring gives as figures, and after an epoch some of its rows recomputed; of the last evaluation that is
        done with what it leaves on disk."""
        self.figures.scored(scores, epoch)
        self.last = scores
        return [] if "test" in scores else self.of_epoch(scores, epoch)

    def of_epoch(self, scores: Mapping[str, SplitScores], epoch: int) -> list[MechanismFinding]:
        """At most 32 rows of every split, recomputed with the trainer's weights as they are; validation selects by them."""
        trainer, consumed = self.subject.trainer, self.witness.take()
        findings = self._of_rows(scores)
        unit = ledger_row(trainer, epoch=epoch, calibration=None, predictions=0)
        for name, part in scores.items():
            at = sample(trainer.seed, name, len(part.pairs), epoch)
            rows = {column: _column(part, column)[at] for column in COLUMNS}
            findings += self._unconsumed(unit, name, part.pairs[at], rows, consumed)
            if unknown_form(unit) is not None:
                continue
            made = recompute(rows, unit)
            if made.wrong.any():
                first = int(np.argmax(made.wrong))
                text = (
                    f"epoch {epoch}, split {name}, pair {part.pairs[at][first]}: the logit is "
                    f"{rows['logit'][first]:.6g}, and {unit['form']} gives {made.logit[first]:.6g}"
                )
                findings.append(_finding("energy", text, made.gap))
        return findings

    def _of_rows(self, scores: Mapping[str, SplitScores]) -> list[MechanismFinding]:
        """At the first epoch that this process sees, what rows of `cells` the trial makes of scores with known answers."""
        if self._asked:
            return []
        self._asked = True
        trainer = self.subject.trainer
        told = strange_rows(scores, trainer.dataset, trainer.seed)
        return [_finding("record", f"of scores of the audit, {text}") for text in told]

    def at_the_end(self, record: Record) -> list[MechanismFinding]:
        """Read what the unit's end has put on disk, recompute all of it, and score some of it again from the checkpoint's
        file; the counts go into the unit's row of `ledger`."""
        rows = record.added.get("ledger", [])
        if len(rows) != 1:
            text = f"the last evaluation left {len(rows)} rows of the ledger, and one has to say which weights it stored"
            return [_finding("record", text)]
        (row,) = rows
        log = record.settle()
        predictions, embeddings = log.table("predictions"), log.table("embeddings")
        ledger = to_table("ledger", [row]).to_pylist()[0]
        unit = unit_ledger(ledger, predictions, embeddings, log.table("cells"), log.row)
        dataset, pairs = self.subject.trainer.dataset, unit.predictions["pair"].to_numpy()
        promoters = len(dataset.promoters)
        unit.predictions["sequence"] = (
            dataset.enhancer_row[pairs].astype(np.int64) * promoters + dataset.promoter_row[pairs]
        )
        with self.subject.reads.paused(), torch.random.fork_rng(devices=[]):
            fresh = trainer_of_file(self.subject, record, ledger["epoch"])
            again = rescored(self.subject, fresh, unit)
        ledger["rounding"] = again.rounding
        verification = verify_unit(unit)
        findings = [_finding("energy", text, verification.gap) for text in verification.energy]
        told = self.figures.faults(log.table("cells").to_pylist())
        named = strange_pairs(unit.predictions, dataset, self.subject.pairs)
        counted = strange_unit(log.row, self.subject)
        findings += [_finding("record", text) for text in (*verification.record, *told, *named, *counted)]
        stored = {column: unit.predictions[column].to_numpy() for column in COLUMNS}
        findings += self._unconsumed(ledger, "", pairs, stored, self.witness.take())
        findings += [_finding("energy", text) for text in again.said]
        findings += [_finding("record", text) for text in _of_checkpoint(ledger, fresh)]
        vectors = embeddings.to_pylist()
        strange = strange_embeddings(vectors, self.last, dataset.cell_lines)
        findings += [_finding("record", text) for text in (*_of_head(unit, vectors, fresh), *strange)]
        findings += self._of_vectors(log.table("pair_vectors").to_pylist(), again)
        verified = {
            "recomputed": verification.recomputed,
            "rescored": again.pairs,
            "rounding": again.rounding,
            "largest": verification.largest if verification.why_not is None else None,
            "not_recomputed": verification.why_not,
            "files": written_hash(predictions, embeddings),
        }
        record.added["ledger"] = [{**row, **verified}]
        return findings

    def _of_vectors(self, rows: list[dict[str, Any]], again: Rescored) -> list[MechanismFinding]:
        """What `pair_vectors` has that is not z_I of the scores, or what z_I of the scores is not of the weights."""
        trainer = self.subject.trainer
        told = strange_vectors(rows, self.last, trainer.dataset.cell_lines, trainer.seed)
        return [_finding("record", text) for text in (*told, *strange_outputs(again.vectors, self.last))]

    def _unconsumed(
        self,
        unit: Mapping[str, Any],
        split: str,
        pairs: np.ndarray,
        rows: Mapping[str, np.ndarray],
        consumed: np.ndarray,
    ) -> list[MechanismFinding]:
        """A finding where u, r, t and logit of a row never passed through the energy together."""
        if unit["phase"] == 1:
            return []
        stored = np.stack([np.asarray(rows[column], dtype=np.float32) for column in COLUMNS], 1)
        strange = unseen_rows(stored, consumed)
        if not strange.any():
            return []
        at = int(np.argmax(strange))
        values = ", ".join(f"{name} {value:.6g}" for name, value in zip(COLUMNS, stored[at], strict=True))
        where = f"split {split}, pair {pairs[at]}" if split else f"pair {pairs[at]}"
        return [_finding("record", f"{where}: these never passed through the energy together: {values}")]


def _finding(subject: str, text: str, gap: float | None = None) -> MechanismFinding:
    return MechanismFinding("-", subject, "broken", text, check="energy", energy_gap=gap)


def _of_checkpoint(ledger: Mapping[str, Any], fresh: Trainer) -> list[str]:
    """Where the scalars of a row of `ledger` are not those of the weights in the checkpoint's file."""
    calibrated = ledger["temperature_mode"] == "calibrated" and ledger["phase"] == 2
    again = ledger_row(
        fresh,
        epoch=ledger["epoch"],
        calibration=ledger["temperature"] if calibrated else None,
        predictions=ledger["predictions"],
    )
    wrong = [name for name, value in again.items() if ledger[name] != value]
    return [f"{name} is recorded as {ledger[name]}, and the checkpoint has {again[name]}" for name in wrong]


def _of_head(unit: UnitLedger, embeddings: list[dict[str, Any]], fresh: Trainer) -> list[str]:
    """Where r_raw of a cell line without a Teacher's or a prior's part is not the linear map of its z_E, with the weights
    of the checkpoint's file."""
    head = fresh.model.environment.branches.head if unit.acts else None
    if not isinstance(head, torch.nn.Linear):
        return []
    weight = head.weight.detach().cpu().numpy().astype(np.float64)[0]
    bias = 0.0 if head.bias is None else float(head.bias.detach())
    for at, row in enumerate(embeddings):
        parts = np.asarray(row["z_e"], dtype=np.float64) * weight
        raw, size = float(parts.sum() + bias), float(np.abs(parts).sum() + abs(bias))
        alone = row["r_teacher"] is None and row["posterior"] is None
        if alone and not abs(raw - row["r_raw"]) <= CLOSE * (1.0 + size):
            return [f"{unit.place(at)}: r_raw is {row['r_raw']:.6g}, and its z_E gives {raw:.6g}"]
    return []


def _column(part: SplitScores, name: str) -> np.ndarray:
    return {"u": part.u, "r": part.r, "t": part.t, "logit": part.logit}[name]
