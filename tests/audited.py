"""What the audit's twins say of a unit, for tests."""

from dataclasses import replace

from harness.audit.auditor import Audit, twins_of
from harness.audit.finding import FATAL, MechanismFinding
from harness.config.blocks.reads import Reads
from harness.trial.unit_run import UnitRun
from tests.narrow import present


def audit_of(unit_run: UnitRun, *, first: bool = True) -> Audit:
    """Every finding, of which several may be of one thing. Not `first`: as at the end of a trial, but for the keys that
    only a trial that ran has read."""
    subject = unit_run.subject
    if first:
        return twins_of(subject, "first")
    reads = Reads(unit_run.config)
    reads.resume(None)
    return twins_of(replace(subject, reads=reads), "last")


def audited(unit_run: UnitRun, *, first: bool = True) -> tuple[dict[str, MechanismFinding], float]:
    """Finding by `id mechanism` (the last of several), and the cost in steps."""
    found = audit_of(unit_run, first=first)
    return {f"{f.id} {f.mechanism}": f for f in found.findings}, present(found.cost)


def accused(unit_run: UnitRun, *, first: bool = True) -> dict[str, str]:
    """`id mechanism` -> reason of what a strict trial would be stopped for."""
    return {name: f.reason for name, f in audited(unit_run, first=first)[0].items() if f.verdict in FATAL}
