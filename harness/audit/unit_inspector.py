"""The audit of one unit as its inspector: twins before its first step and after its last, all else all the way."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from harness.audit.auditor import Audit, twins_of
from harness.audit.chance import Chance
from harness.audit.continuation import ContinuationCheck
from harness.audit.contracts import Contracts
from harness.audit.example_check import strange_examples
from harness.audit.finding import MechanismFinding, fault
from harness.audit.ledger import Ledger
from harness.audit.present_scores import PresentScores
from harness.audit.raised import answered
from harness.audit.real_steps import RealSteps
from harness.audit.step_record import StepRecord
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Inspection, Moment, Subject
from harness.trial.record import Record
from harness.trial.score.predict import SplitScores
from harness.trial.step.trainer import StepLog

Ask = Callable[[], list[MechanismFinding]]
Examples = Literal["known", "anew", "off"]


class AuditInspector:
    """Puts the parts of the audit together (see `UnitInspector`). `twins`: whether this unit judges the mechanisms, as one
    of a trial does. `examples`: recorded ones are asked that are not known to be sound, all of them, or none."""

    def __init__(self, subject: Subject, twins: bool, examples: Examples = "known") -> None:
        self.subject, self.twins, self.examples = subject, twins, examples
        self.contracts = Contracts(subject)
        self.chance = Chance(subject)
        self.steps = RealSteps(subject)
        self.ledger = Ledger(subject)
        self.present = PresentScores(subject)
        self.record = StepRecord(subject)
        self.continuation = ContinuationCheck(subject)
        self._errors: set[str] = set()

    def first(self) -> Inspection:
        return inspection(
            "first", self._heard(self.contracts.first), self._twins("first"), self._of_examples()
        )

    def before_step(self, batch: EpisodeBatch, epoch: int, progress: float) -> Inspection:
        contracts = self._heard(lambda: self.contracts.before(batch, epoch))
        self.chance.before(batch, epoch)
        self.record.before(epoch)
        goes_on = self._heard(lambda: self.continuation.before(batch.support, batch.query, epoch))
        steps = self._heard(lambda: self.steps.before(batch, epoch, progress))
        return inspection("run", contracts, goes_on, steps)

    def after_step(self, log: StepLog) -> Inspection:
        self.record.after(log)
        parts = (self.contracts.after, self.chance.after, lambda: self.steps.after(log))
        return inspection("run", *map(self._heard, parts))

    def passed(self, batch: EpisodeBatch, epoch: int) -> Inspection:
        contracts = self._heard(lambda: self.contracts.passed(batch, epoch))
        self.continuation.passed(batch.support, batch.query, epoch)
        return inspection("run", contracts)

    def shared(self, state: dict[str, Any]) -> Inspection:
        self.steps.shared(state["steps"])
        return inspection("run", self._heard(lambda: self.continuation.shared(state["continuation"])))

    def scored(self, scores: Mapping[str, SplitScores], epoch: int, draws: int) -> Inspection:
        parts: list[Ask] = [lambda: self.contracts.scored(scores, epoch), self.chance.scored]
        parts += [lambda: self.ledger.scored(scores, epoch), lambda: self.present.scored(scores, epoch)]
        return inspection("run", *map(self._heard, parts))

    def ended(self, record: Record) -> Inspection:
        steps = self._heard(lambda: self.steps.ended(record.rows("terms")))
        tables = [record.rows(name) for name in ("epochs", "terms", "reports", "cells")]
        parts = (
            self.contracts.ended,
            lambda: self.record.ended(*tables),
            lambda: self.continuation.ended(record),
            lambda: self.ledger.at_the_end(record),
        )
        rest = map(self._heard, parts)
        return inspection("last", *rest, replace(steps, cost=self.steps.cost_steps), self._twins("last"))

    def state(self) -> dict[str, Any]:
        return {
            "contracts": self.contracts.state(),
            "chance": self.chance.state(),
            "steps": self.steps.state(),
            "continuation": self.continuation.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """A check that the state has nothing of, or not all (it is of older code), begins anew."""
        parts: dict[str, Contracts | Chance | RealSteps] = {
            "contracts": self.contracts,
            "chance": self.chance,
            "steps": self.steps,
        }
        for name, part in parts.items():
            if _has(state.get(name, {}), part.state()):
                part.resume(state[name])
        if "continuation" in state:
            self.continuation.resume(state["continuation"])

    def _heard(self, ask: Ask) -> Audit:
        """What a part of the audit finds, or that the thing it looks at raised an error, which is said once."""
        return Audit(answered(self.subject, ask, self._raised))

    def _twins(self, moment: Moment) -> Audit:
        """What twins say of every configured mechanism; nothing where another unit of the trial asks them."""
        if not self.twins:
            return Audit([], 0.0)
        ask = partial(twins_of, self.subject, moment, step_s=self.steps.median_s)
        return answered(self.subject, ask, lambda sentence: Audit(self._raised(sentence)))

    def _of_examples(self) -> Audit:
        """What recorded examples say of the code that runs; asked once for a trial, and of no trial's state."""
        if not self.twins or self.examples == "off":
            return Audit([])
        return self._heard(partial(strange_examples, self.subject.config, anew=self.examples == "anew"))

    def _raised(self, sentence: str) -> list[MechanismFinding]:
        if sentence in self._errors:
            return []
        self._errors.add(sentence)
        return [MechanismFinding("-", "trial", "broken", sentence)]


def _has(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a state has every key of another one, and so in each mapping in it."""
    return all(
        name in state and (not isinstance(value, Mapping) or _has(state[name], value))
        for name, value in wanted.items()
    )


def inspection(moment: Moment, *audits: Audit) -> Inspection:
    """Findings, each with the cost of what found it, as rows of table `audit`."""
    rows = [finding.row(moment, audit.cost) for audit in audits for finding in audit.findings]
    return Inspection(rows, fault([finding for audit in audits for finding in audit.findings]))
