"""How a rehearsal ended and what it left, so that two of them can be compared bit by bit."""

import hashlib
import io
import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from analysis.errors import UserError
from analysis.schema import KEYS, TABLES
from analysis.unit_log import UnitLog
from harness.audit.audited import EXAMPLES_ANEW
from harness.audit.finding import FATAL, lines
from harness.audit.patch import Patch
from harness.audit.rehearsal import Rehearsal
from harness.mechanisms.registered import registries
from harness.trial.unit_run import UnitRun

CHANGING = frozenset({"wall_s", "cpu_s"})
"""Columns that differ between two runs of one unit."""
BESIDE = frozenset({"units", "audit", "warnings"})
"""Tables that say how a unit went, not what it computed."""
MOVED = (AttributeError, ImportError, NameError, TypeError)
"""What is raised where a name of the harness, or what it takes, is another one than a patch expects."""


@dataclass(frozen=True)
class RehearsalOutcome:
    """`status`, `reason`, `epochs` that were finished and optimiser `steps` of a unit; what its audit said at each moment
    (`audit`) and its `faults`; the warnings' `rules` that hold with their severity; `traces`, a hash of the weights and of
    every table of results. `error` is what ended it from outside, `moved` whether that is a name that moved."""

    status: str
    reason: str = ""
    epochs: int = 0
    steps: int = 0
    audit: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    traces: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    moved: bool = False

    @classmethod
    def of(cls, unit_run: UnitRun) -> "RehearsalOutcome":
        """That of a unit that has ended."""
        return cls(
            status=unit_run.status,
            reason=str(unit_run.row["reason"]),
            epochs=unit_run.epoch,
            steps=unit_run.trainer.index,
            audit=lines(unit_run.audited),
            faults=tuple(
                f"{row['id']} {row['mechanism']} is {row['verdict']}: {row['reason']}"
                for row in unit_run.audited
                if row["verdict"] in FATAL
            ),
            rules={finding.rule: finding.severity for finding in unit_run.findings()},
            traces={"weights": _weights(unit_run), **_tables(UnitLog.read(unit_run.record.file))},
        )


def rehearse(rehearsal: Rehearsal, patch: Patch | None, *, audited: bool) -> RehearsalOutcome:
    """Apply the patch, which stays, and run the trial: a process that has done so is good for nothing else.

    Raises whatever the trial raises where there is no patch.
    """
    torch.set_num_threads(1)
    registries()  # every module of the project that a mechanism lies in
    if patch is None:
        return _run(rehearsal, audited=audited)
    try:
        patch.apply()
    except Exception as error:  # noqa: BLE001  # a person's file may raise anything
        return RehearsalOutcome("failed", error=_sentence(error, patch), moved=True)
    try:
        return _run(rehearsal, audited=audited)
    except Exception as error:  # noqa: BLE001  # and so may whatever it has changed
        return RehearsalOutcome("failed", error=_sentence(error, patch), moved=isinstance(error, MOVED))


def _run(rehearsal: Rehearsal, *, audited: bool) -> RehearsalOutcome:
    unit_run = rehearsal.unit_run(EXAMPLES_ANEW["inspector"] if audited else None)
    while not unit_run.finished:
        unit_run.advance()
    return RehearsalOutcome.of(unit_run)


def _sentence(error: Exception, patch: Patch) -> str:
    """The error on one line, with the last line of the patch that it came by."""
    said = " ".join(str(error).split())
    text = said if isinstance(error, UserError) else f"{type(error).__name__}: {said}"
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame.lineno for frame in frames if frame.filename == str(patch.file)]
    return f"{text} ({patch.file.name} line {places[-1]})" if places else text


def _weights(unit_run: UnitRun) -> str:
    """Hash of all that scoring depends on, at the end and at the selected epoch."""
    selected = f"epoch-{unit_run.row['selected_epoch']}"
    states = [unit_run.trainer.weights(), unit_run.record.checkpoints.load(selected, torch.device("cpu"))]
    buffer = io.BytesIO()
    torch.save(states, buffer)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _tables(log: UnitLog) -> dict[str, str]:
    """Hash of the rows of every table of results that the unit has."""
    hashes = {}
    for name in TABLES:
        if name not in BESIDE and log.holds(name):
            table = log.table(name)
            kept = [column for column in table.column_names if column not in CHANGING.union(KEYS)]
            rows = json.dumps(table.select(kept).to_pylist(), default=str)
            hashes[name] = hashlib.sha256(rows.encode()).hexdigest()
    return hashes
