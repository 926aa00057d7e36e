"""The audit of one unit as its inspector: twins before its first step and after its last, all else all the way."""

from collections.abc import Mapping
from typing import Any

from harness.audit.auditor import Audit, twins_of
from harness.audit.chance import Chance
from harness.audit.contracts import Contracts
from harness.audit.finding import fault
from harness.audit.ledger import Ledger
from harness.audit.real_steps import RealSteps
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Inspection, Moment, Subject
from harness.trial.record import Record
from harness.trial.score.predict import SplitScores
from harness.trial.step.trainer import StepLog


class AuditInspector:
    """Puts the parts of the audit together (see `UnitInspector`). `twins`: whether this unit judges the mechanisms, as one
    of a trial does."""

    def __init__(self, subject: Subject, twins: bool) -> None:
        self.subject, self.twins = subject, twins
        self.contracts = Contracts(subject)
        self.chance = Chance(subject)
        self.steps = RealSteps(subject)
        self.ledger = Ledger(subject)

    def first(self) -> Inspection:
        return inspection("first", Audit(self.contracts.first()), self._twins("first"))

    def before_step(self, batch: EpisodeBatch, epoch: int, progress: float) -> Inspection:
        findings = self.contracts.before(batch, epoch)
        self.chance.before(batch, epoch)
        return inspection("run", Audit(findings + self.steps.before(batch, epoch, progress)))

    def after_step(self, log: StepLog) -> Inspection:
        return inspection("run", Audit(self.contracts.after() + self.chance.after() + self.steps.after(log)))

    def scored(self, scores: Mapping[str, SplitScores], epoch: int, draws: int) -> Inspection:
        findings = self.contracts.scored(scores, epoch) + self.chance.scored()
        # The last evaluation scores the test split too, and is judged by what it leaves on disk.
        ended = "test" in scores
        return inspection("run", Audit(findings if ended else findings + self.ledger.of_epoch(scores, epoch)))

    def ended(self, record: Record) -> Inspection:
        steps = Audit(self.steps.ended(record.rows("terms")), self.steps.cost_steps)
        findings = self.contracts.ended() + self.chance.ended() + self.ledger.at_the_end(record)
        return inspection("last", Audit(findings), steps, self._twins("last"))

    def state(self) -> dict[str, Any]:
        return {
            "contracts": self.contracts.state(),
            "chance": self.chance.state(),
            "steps": self.steps.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        self.contracts.resume(state["contracts"])
        self.chance.resume(state["chance"])
        self.steps.resume(state["steps"])

    def _twins(self, moment: Moment) -> Audit:
        """What twins say of every configured mechanism; nothing where another unit of the trial asks them."""
        if not self.twins:
            return Audit([], 0.0)
        return twins_of(self.subject, moment, step_s=self.steps.median_s)


def inspection(moment: Moment, *audits: Audit) -> Inspection:
    """Findings, each with the cost of what found it, as rows of table `audit`."""
    rows = [finding.row(moment, audit.cost) for audit in audits for finding in audit.findings]
    return Inspection(rows, fault([finding for audit in audits for finding in audit.findings]))
