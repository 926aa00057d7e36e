"""Judges every configured mechanism by what changes without it (docs/audit.md)."""

from dataclasses import replace

from harness.audit.direction import direction
from harness.audit.finding import FATAL, MechanismFinding
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
            finding = judge_term(self.twins, mechanism, cls, thorough=self.thorough)
            return _with_direction(finding, direction(self.twins, mechanism, cls))
        finding = judge_module(self.twins, mechanism, cls)
        if finding.verdict != "active" or not mechanism.off:
            return finding
        rule = judge_rule(self.twins, mechanism)
        return replace(rule, grad_norm=finding.grad_norm, input_gap=finding.input_gap)


def _with_direction(finding: MechanismFinding, met: MechanismFinding | None) -> MechanismFinding:
    """The finding on a loss term with what was found of its direction (None: nothing), which is a fault of its own."""
    if met is None:
        return finding
    if met.verdict in FATAL and finding.verdict not in FATAL:
        finding = replace(finding, verdict=met.verdict, reason=met.reason, check=met.check)
    return replace(finding, direction_gap=met.direction_gap)
