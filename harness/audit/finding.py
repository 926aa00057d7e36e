"""What the audit says of one mechanism, and of a trial as a whole."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.reported import AUDIT_STOP
from harness.mechanisms.catalogue import catalogue
from harness.mechanisms.mechanism import Mechanism

VERDICTS = ("active", "idle", "inert", "leaking", "broken", "redundant", "rank-invariant", "drowned")
FATAL = ("inert", "leaking", "broken")
"""Verdicts that `audit: strict` stops a trial for."""


@dataclass(frozen=True)
class MechanismFinding:
    """One row of table `audit`; `check` is the check that decided, a figure that was not measured is None. What each
    figure is: `analysis.schema`.
    """

    id: str
    mechanism: str
    verdict: str
    reason: str
    check: str = ""
    share: float | None = None
    grad_norm: float | None = None
    route_gap: float | None = None
    effect_gradient: float | None = None
    effect_known: float | None = None
    effect_unseen: float | None = None
    effect_aupr: float | None = None
    input_gap: float | None = None
    direction_gap: float | None = None
    displacement: float | None = None
    energy_gap: float | None = None
    contracts: int | None = None
    moved: float | None = None
    weight_gap: float | None = None
    step_gap: float | None = None

    @classmethod
    def on(
        cls, mechanism: Mechanism, verdict: str, reason: str, check: str = "", **figures: Any
    ) -> "MechanismFinding":
        """The finding on a mechanism of the catalogue; `figures` are other fields."""
        return cls(mechanism.id, mechanism.key, verdict, reason, check, **figures)

    def row(self, moment: str, cost: float | None) -> dict[str, object]:
        """The columns of table `audit` beside the unit's key."""
        return {"moment": moment, "cost_steps": cost, **asdict(self)}


def summary(findings: Sequence[MechanismFinding]) -> str:
    """`14 mechanisms: 13 active, 1 rank-invariant; beside them 3 active` (contracts, real steps, stored scores, keys)."""
    mechanisms = [finding.verdict for finding in findings if finding.id != "-"]
    others = [finding.verdict for finding in findings if finding.id == "-"]
    said = [f"{len(mechanisms)} mechanisms: {_counted(mechanisms)}"] if mechanisms else []
    said += [f"beside {'them' if said else 'the mechanisms'} {_counted(others)}"] if others else []
    return "; ".join(said) or "no mechanism was audited"


def _counted(verdicts: Sequence[str]) -> str:
    counts = Counter(verdicts)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def lines(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """One line per audit of a unit, by its moment, from rows of table `audit`, and below it one per fault."""
    by_moment: dict[str, list[MechanismFinding]] = {}
    for row in rows:
        columns = {name: row[name] for name in MechanismFinding.__dataclass_fields__}
        by_moment.setdefault(row["moment"], []).append(MechanismFinding(**columns))
    return {
        moment: "\n  ".join([summary(findings), *(sentence(f) for f in findings if f.verdict in FATAL)])
        for moment, findings in by_moment.items()
    }


def fault(findings: Sequence[MechanismFinding]) -> str | None:
    """The sentence that a strict trial ends with; None when nothing is broken, leaking or inert. What a person brought is
    named first: where it is at fault, parts of the project beside it often are no longer what they say."""
    faults = [finding for finding in findings if finding.verdict in FATAL]
    if not faults:
        return None
    if len(faults) > 1:
        brought = {row.key for row in catalogue() if row.brought}
        faults.sort(key=lambda finding: finding.mechanism not in brought)
    first = faults[0]
    more = (
        f" (and {len(faults) - 1} more: {', '.join(f.mechanism for f in faults[1:])})"
        if len(faults) > 1
        else ""
    )
    return f"{AUDIT_STOP}{sentence(first)}{more}"


def sentence(finding: MechanismFinding) -> str:
    """`M22 support is inert (input): it does not read its support set`."""
    name = finding.mechanism if finding.id == "-" else f"{finding.id} {finding.mechanism}"
    check = f" ({finding.check})" if finding.check else ""
    return f"{name} is {finding.verdict}{check}: {finding.reason}"
