"""The faults, one or more for each rule that infers one from what was measured."""

from typing import Any

import numpy as np

from analysis.rules import UnitRecords
from analysis.schema import MACRO, POOLED
from harness.validate.faults import (
    Fault,
    Planted,
    Rng,
    Row,
    between,
    configured,
    edited,
    judged,
    rescored,
    shuffled,
)
from harness.validate.health import TrialUnit

TASK = "task"
_LINES = ("A", "B", "C", "D")
"""Training cell lines of a competition that is planted."""


def collapsed(unit: TrialUnit, rng: Rng) -> Planted:
    line = unit.scores["cell_line"]
    logit = unit.scores["logit"].astype(np.float64)
    if rng.random() < 0.3:
        return rescored(unit, shuffled(logit, line, rng), everything_called=True), 0.0
    spread = between(rng, 5e-4, 0.048)
    for name in np.unique(line):
        here = line == name
        mean = logit[here].mean()
        logit[here] = mean + (logit[here] - mean) * spread / logit[here].std()
    return rescored(unit, logit), spread


def unlearnt(unit: TrialUnit, rng: Rng) -> Planted:
    records = rescored(unit, shuffled(unit.scores["logit"], unit.scores["cell_line"], rng))
    if rng.random() < 0.5:
        return records, 0.0
    return _rising(records, TASK, rng)


def blind(unit: TrialUnit, rng: Rng) -> Planted:
    logit, line = unit.scores["logit"].astype(np.float64), unit.scores["cell_line"]
    noise = between(rng, 1e-7, 1e-2)
    for name in np.unique(line):
        logit[line == name] = logit[line == name].mean()
    return rescored(unit, logit + noise * rng.standard_normal(len(logit))), noise


def harmed(unit: TrialUnit, rng: Rng) -> Planted:
    u, size = unit.scores["u"].astype(np.float64), between(rng, 1.5, 8.0)
    return rescored(unit, u + size * u.std() * rng.standard_normal(len(u))), size


def constant(unit: TrialUnit, rng: Rng) -> Planted:
    ratio = between(rng, 1e-5, 0.0095)
    return edited(_longer(unit), "epochs", lambda row: {"r_var": ratio**2 * row["u_var"]}), ratio


def drowned(unit: TrialUnit, rng: Rng) -> Planted:
    term, share = _term(unit.records, rng), between(rng, 1e-5, 0.009)
    terms: Any = unit.records.terms
    whole = max(row["weight"] or 0.0 for row in terms if row["term"] == term)

    def edit(row: Row) -> Row:
        if row["term"] != term:
            return {}
        return {"grad_share": share * rng.uniform(0.5, 1.0), "weight": whole if row["weight"] else 0.0}

    return edited(unit.records, "terms", edit), share


def silent(unit: TrialUnit, rng: Rng) -> Planted:
    term = _term(unit.records, rng)
    nothing = dict.fromkeys(("value", "weighted", "grad_norm", "grad_share", "acting"), 0.0)
    return edited(unit.records, "terms", lambda row: nothing if row["term"] == term else {}), 0.0


def idle(unit: TrialUnit, rng: Rng) -> Planted:
    share = rng.uniform(0.905, 1.0)
    records = configured(_longer(unit), "loss.competition", {"weight": 0.1, "warmup": 10})
    records = configured(records, "episode.pseudo_unseen", 0.25)
    reports = [
        {"epoch": epoch, "term": "competition", "name": name, "cell_line": line, "value": (1 - share) / 2}
        for epoch in _epochs(unit)
        for name in ("acted", "pulled")
        for line in _LINES
    ]
    return _with(records, reports=reports), share


def lazy(unit: TrialUnit, rng: Rng) -> Planted:
    ratio, first, rise = between(rng, 5e-4, 0.047), between(rng, 1e-3, 1.0), rng.uniform(0.0, 0.3)
    records = configured(_longer(unit), "loss.distillation", {"weight": 0.1})
    records = edited(
        records, "epochs", lambda row: {"student_var": ratio * row["u_var"], "teacher_var": row["u_var"]}
    )
    terms: Any = records.terms
    others = [row for row in terms if row["term"] != "distillation"]
    lesson = [
        {"epoch": epoch, "term": "distillation", "value": first * (1 + rise * (epoch - 1)), "weight": 0.1}
        for epoch in _epochs(unit)
    ]
    return _with(records, terms=[*others, *lesson]), ratio


def mismatched(unit: TrialUnit, rng: Rng) -> Planted:
    gap = between(rng, 1.02, 1e4)
    broken = {"moment": "run", "id": "-", "mechanism": "energy", "verdict": "broken", "energy_gap": gap}
    audit: Any = unit.records.audit
    return _with(unit.records, audit=[*audit, broken]), gap


def inert(unit: TrialUnit, rng: Rng) -> Planted:
    audit: Any = unit.records.audit
    names = sorted({row["mechanism"] for row in audit if row["id"] != "-"})
    chosen = rng.choice(names)
    return edited(
        unit.records, "audit", lambda row: {"verdict": "inert"} if row["mechanism"] == chosen else {}
    ), 0.0


def leaked(unit: TrialUnit, rng: Rng) -> Planted:
    if rng.random() < 0.5:
        return configured(unit.records, "predict.mode", "branch_select"), 0.0
    return _with(unit.records, row={**unit.records.row, "objective": "test/macro/aupr"}), 0.0


def shortcut(unit: TrialUnit, rng: Rng) -> Planted:
    cells: Any = unit.records.cells
    auc = {
        row["cell_line"]: row["auc"]
        for row in cells
        if row["score"] == "corrected" and row["selection"] == "best_on_validation"
    }
    lead = between(rng, 2e-3, 0.2)

    def edit(row: Row) -> Row:
        line = row["cell_line"]
        return {} if line in (MACRO, POOLED) else {"auc": min(0.999, max(auc[line] + lead, 0.56))}

    return edited(unit.records, "baselines", edit), lead


def _term(records: UnitRecords, rng: Rng) -> str:
    """One term beside the task that acts."""
    terms: Any = records.terms
    return str(rng.choice(sorted({row["term"] for row in terms if row["term"] != TASK and row["value"]})))


def _rising(records: UnitRecords, term: str, rng: Rng) -> Planted:
    """The term's values from its first one on, no lower at any later epoch."""
    terms: Any = records.terms
    first = next(row["value"] for row in terms if row["term"] == term)
    rise = rng.uniform(0.0, 0.3)

    def edit(row: Row) -> Row:
        return {"value": first * (1 + rise * (row["epoch"] - 1))} if row["term"] == term else {}

    return edited(records, "terms", edit), rise


def _with(records: UnitRecords, **tables: Any) -> UnitRecords:
    return UnitRecords(**{**vars(records), **tables})


def _has_terms(unit: TrialUnit) -> bool:
    terms: Any = unit.records.terms
    return any(row["term"] != TASK and row["value"] for row in terms)


def _longer(unit: TrialUnit) -> UnitRecords:
    """The records as of a trial of ten times as many steps."""
    return edited(unit.records, "epochs", lambda row: {"step": 10 * row["step"]})


def _any(unit: TrialUnit) -> bool:
    """A unit of any kind: what the fault needs is planted with it."""
    return len(unit.scores["label"]) > 0


def _epochs(unit: TrialUnit) -> list[int]:
    epochs: Any = unit.records.epochs
    return [int(row["epoch"]) for row in epochs]


FAULTS = (
    Fault("mode_collapse", "spread of logits 0.0005 to 0.048, or order lost and all called", collapsed, 240),
    Fault("not_learning", "order of unseen pairs lost; of half the loss rises, by 0 to 30 %", unlearnt, 240),
    Fault("zero_input", "scores of the cell line alone, and noise of 1e-7 to 0.01", blind, 240),
    Fault("correction_harms", "noise of 1.5 to 8 standard deviations of U_I in R_E", harmed, 240),
    Fault(
        "constant_environment",
        "spread of R_E 0.00001 to 0.0095 of U_I's, of a trial ten times as long",
        constant,
        can=lambda unit: judged(_longer(unit), "constant_environment")[1] is None,
    ),
    Fault("drowned_term", "gradient share of one term 0.00001 to 0.009, ramped in", drowned),
    Fault("never_acted", "value and gradient of one term 0", silent, can=_has_terms),
    Fault(
        "dead_competition",
        "a competition, idle in 90.5 to 100 % of episodes, of a trial ten times as long",
        idle,
        can=_any,
    ),
    Fault(
        "lazy_teacher",
        "a Teacher; variance of R_S 0.0005 to 0.047 of R_T's, distillation rises by 0 to 30 %, a trial ten times as long",
        lazy,
        can=_any,
    ),
    Fault("energy_mismatch", "a logit off by 1.02 to 10 000 tolerances", mismatched),
    Fault("inert_mechanism", "the audit's verdict on one mechanism", inert),
    Fault("test_leak", "branch or objective on test", leaked),
    Fault("shortcut", "promoter-only AUC 0.002 to 0.2 above the unit's", shortcut, can=_any),
)
