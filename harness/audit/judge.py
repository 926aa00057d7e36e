"""Judges every configured mechanism by what changes without it (docs/audit.md)."""

from dataclasses import replace

from harness.audit.finding import MechanismFinding
from harness.audit.modules import judge_module
from harness.audit.probe import Probe
from harness.audit.rules import judge_rule
from harness.audit.terms import judge_term
from harness.audit.twins import Twins
from harness.mechanisms.mechanism import Mechanism
from models.losses.term import LossTerm


class Judge:
    """Verdicts on mechanisms from twins of one probe. `thorough` adds, per weighted term, a step with weight 0 and one
    with twice the weight.
    """

    def __init__(self, probe: Probe, *, thorough: bool) -> None:
        self.twins, self.thorough = Twins(probe), thorough

    def judge(self, mechanism: Mechanism) -> MechanismFinding:
        """The verdict on one configured mechanism."""
        cls = mechanism.cls
        if cls is None:
            return judge_rule(self.twins, mechanism)
        if issubclass(cls, LossTerm):
            return judge_term(self.twins, mechanism, cls, thorough=self.thorough)
        finding = judge_module(self.twins, mechanism, cls)
        if finding.verdict != "active" or not mechanism.off:
            return finding
        rule = judge_rule(self.twins, mechanism)
        return replace(rule, grad_norm=finding.grad_norm, input_gap=finding.input_gap)
