"""Judges every configured mechanism by what changes without it (docs/audit.md)."""

from dataclasses import replace

from harness.audit.direction import direction
from harness.audit.finding import FATAL, MechanismFinding
from harness.audit.modules import judge_module
from harness.audit.probe import Probe
from harness.audit.rules import judge_rule
from harness.audit.term_weights import weight_faults
from harness.audit.terms import judge_term
from harness.audit.twins import Twins
from harness.config.blocks.read_where import POSITIVE
from harness.mechanisms.catalogue import configured
from harness.mechanisms.mechanism import Mechanism
from models.losses.term import LossTerm


class Judge:
    """Verdicts on mechanisms from twins of one probe. `weights` adds what weight 0 and twice the weight do, per term.

    `weight_paths`: by key of a loss term, where its weight stands.
    """

    def __init__(self, probe: Probe, *, weights: bool) -> None:
        self.twins = Twins(probe)
        self.weight_paths = self._paths()
        self._weights = weight_faults(self.twins, self.weight_paths if weights else {})

    def judge(self, mechanism: Mechanism) -> MechanismFinding:
        """The verdict on one configured mechanism."""
        cls = mechanism.cls
        if cls is None:
            return judge_rule(self.twins, mechanism)
        if issubclass(cls, LossTerm):
            finding = judge_term(self.twins, mechanism, cls, self._weights)
            return _with_direction(finding, direction(self.twins, mechanism, cls))
        finding = judge_module(self.twins, mechanism, cls)
        if finding.verdict != "active" or not mechanism.off:
            return finding
        rule = judge_rule(self.twins, mechanism)
        return replace(rule, grad_norm=finding.grad_norm, input_gap=finding.input_gap)

    def _paths(self) -> dict[str, str]:
        """Key of a loss term that was built -> path of its weight."""
        paths: dict[str, str] = {}
        for row in configured(self.twins.probe.config.model_dump()):
            weights = [setting.path for setting in row.when if setting.value == POSITIVE]
            keys = [
                k for k, term in self.twins.terms.items() if row.cls is not None and isinstance(term, row.cls)
            ]
            if weights:
                paths |= dict.fromkeys(keys[:1], weights[0])
        return paths


def _with_direction(finding: MechanismFinding, met: MechanismFinding | None) -> MechanismFinding:
    """The finding on a loss term with what was found of its direction (None: nothing), which is a fault of its own."""
    if met is None:
        return finding
    if met.verdict in FATAL and finding.verdict not in FATAL:
        finding = replace(finding, verdict=met.verdict, reason=met.reason, check=met.check)
    return replace(finding, direction_gap=met.direction_gap)
