"""What the audit says of one mechanism, and of a trial as a whole."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.mechanisms.mechanism import Mechanism

VERDICTS = ("active", "idle", "inert", "leaking", "broken", "redundant", "rank-invariant", "drowned")
FATAL = ("inert", "leaking", "broken")
"""Verdicts that `audit: strict` stops a trial for."""


@dataclass(frozen=True)
class MechanismFinding:
    """One row of table `audit`; a figure that does not apply to the mechanism is None."""

    id: str
    mechanism: str
    verdict: str
    reason: str
    check: str = ""
    """The check that decided; empty where no fault did."""
    share: float | None = None
    grad_norm: float | None = None
    effect_logit: float | None = None
    effect_aupr: float | None = None
    effect_gradient: float | None = None
    direction_gap: float | None = None
    displacement: float | None = None
    moved: float | None = None
    weight_gap: float | None = None

    @classmethod
    def on(
        cls, mechanism: Mechanism, verdict: str, reason: str, **figures: float | None
    ) -> "MechanismFinding":
        """The finding on a mechanism of the catalogue."""
        return cls(mechanism.id, mechanism.key, verdict, reason, "", **figures)

    def row(self, moment: str, cost: float) -> dict[str, object]:
        """The columns of table `audit` beside the unit's key."""
        return {"moment": moment, "cost_steps": cost, **asdict(self)}


def summary(findings: Sequence[MechanismFinding]) -> str:
    """`14 mechanisms: 13 active, 1 rank-invariant`."""
    counts = Counter(finding.verdict for finding in findings)
    parts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"{len(findings)} mechanisms: {parts}" if findings else "no mechanism was audited"


def lines(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """One line per audit of a unit, by its moment, from rows of table `audit`."""
    by_moment: dict[str, list[MechanismFinding]] = {}
    for row in rows:
        columns = {name: row[name] for name in MechanismFinding.__dataclass_fields__}
        by_moment.setdefault(row["moment"], []).append(MechanismFinding(**columns))
    return {moment: summary(findings) for moment, findings in by_moment.items()}


def fault(findings: Sequence[MechanismFinding]) -> str | None:
    """The sentence that a strict trial ends with; None when nothing is inert, leaking or broken."""
    faults = [finding for finding in findings if finding.verdict in FATAL]
    if not faults:
        return None
    first = faults[0]
    more = (
        f" (and {len(faults) - 1} more: {', '.join(f.mechanism for f in faults[1:])})"
        if len(faults) > 1
        else ""
    )
    return f"audit: {first.id} {first.mechanism} is {first.verdict}: {first.reason}{more}"
