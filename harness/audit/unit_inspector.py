"""The audit of one unit as its inspector: twins before its first step and after its last, contracts all the way."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.audit.auditor import Audit, twins_of
from harness.audit.contracts import Contracts
from harness.audit.finding import MechanismFinding, fault
from harness.audit.ledger import Ledger
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import NOTHING, Inspection, Moment, Subject
from harness.trial.record import Record
from harness.trial.score.predict import SplitScores
from harness.trial.step.trainer import StepLog


class AuditInspector:
    """Puts the parts of the audit together (see `UnitInspector`). `twins`: whether this unit judges the mechanisms, as one
    of a trial does."""

    def __init__(self, subject: Subject, twins: bool) -> None:
        self.subject, self.twins = subject, twins
        self.contracts = Contracts(subject)
        self.ledger = Ledger(subject)

    def first(self) -> Inspection:
        return inspection("first", self.contracts.first(), self._twins("first"))

    def before_step(self, batch: EpisodeBatch, epoch: int, progress: float) -> Inspection:
        return inspection("run", self.contracts.before(batch, epoch))

    def after_step(self, log: StepLog) -> Inspection:
        return inspection("run", self.contracts.after())

    def scored(self, scores: Mapping[str, SplitScores], epoch: int, draws: int) -> Inspection:
        findings = self.contracts.scored(scores, epoch)
        # The last evaluation scores the test split too, and is judged by what it leaves on disk.
        return inspection(
            "run", findings if "test" in scores else findings + self.ledger.of_epoch(scores, epoch)
        )

    def ended(self, record: Record) -> Inspection:
        findings = self.contracts.ended() + self.ledger.at_the_end(record)
        return inspection("last", findings, self._twins("last"))

    def state(self) -> dict[str, Any]:
        return {"contracts": self.contracts.state()}

    def resume(self, state: dict[str, Any]) -> None:
        self.contracts.resume(state["contracts"])

    def _twins(self, moment: Moment) -> Audit:
        """What twins say of every configured mechanism; nothing where another unit of the trial asks them."""
        return twins_of(self.subject, moment) if self.twins else Audit([], 0.0)


def inspection(
    moment: Moment, findings: Sequence[MechanismFinding], twins: Audit | None = None
) -> Inspection:
    """Findings, and those of twins with their cost, as rows of table `audit`."""
    judged = Audit([], 0.0) if twins is None else twins
    if not findings and not judged.findings:
        return NOTHING
    rows = [finding.row(moment, None) for finding in findings]
    rows += [finding.row(moment, judged.cost) for finding in judged.findings]
    return Inspection(rows, fault([*findings, *judged.findings]))
