"""What the audit's twins say of a unit, for tests."""

from harness.audit.auditor import twins_of
from harness.audit.finding import FATAL, MechanismFinding
from harness.trial.unit_run import UnitRun


def audited(unit_run: UnitRun, *, first: bool = True) -> tuple[dict[str, MechanismFinding], float]:
    """Finding by `id mechanism`, and the cost in steps."""
    found = twins_of(unit_run.subject, "first" if first else "last")
    return {f"{f.id} {f.mechanism}": f for f in found.findings}, found.cost


def accused(unit_run: UnitRun, *, first: bool = True) -> dict[str, str]:
    """`id mechanism` -> reason of what a strict trial would be stopped for."""
    return {name: f.reason for name, f in audited(unit_run, first=first)[0].items() if f.verdict in FATAL}
