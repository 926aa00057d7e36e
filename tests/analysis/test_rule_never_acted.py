"""never_acted names the loss terms of an ended unit that did nothing, and waits for every term's turn."""

import json

import pandas as pd
import pytest

from analysis.rules import UnitRecords, evaluate, not_evaluated
from tests.analysis.rule_units import raised, unit


def silent(
    status: str, rows: list[tuple[int, str, float, float | None, float]], phases: tuple[int, ...]
) -> UnitRecords:
    """A unit of three planned epochs with rows (epoch, term, weight, value, gradient norm)."""
    base = unit()
    trial = {**base.row, "status": status, "config_json": json.dumps({"optimiser": {"epochs": 3}})}
    terms = [dict(zip(("epoch", "term", "weight", "value", "grad_norm"), row, strict=True)) for row in rows]
    epochs = [{"epoch": k, "phase": phase, "loss": 0.5} for k, phase in enumerate(phases, start=1)]
    return UnitRecords(trial, epochs, terms, base.cells)


ENDED = [
    (k, term, weight, value, 0.0)
    for k in (1, 2, 3)
    for term, weight, value in (("hinge", 0.1, 0.0), ("grl", 0.0, None))
]
ENDED += [(k, "task", 1.0, 0.6, 1.0) for k in (1, 2, 3)]


def test_never_acted_names_what_was_silent_and_what_never_came() -> None:
    for status in ("done", "running", "pruned", "stopped"):  # running: its last epoch, before it is closed
        (finding,) = raised(silent(status, ENDED, (1, 2, 2)), "never_acted")
        assert (finding.severity, finding.value, finding.epoch, finding.source) == (
            "fault",
            2.0,
            3,
            "source documents 000, 003 (notes on record points 12, 22, 23)",
        )
        assert "2 of 3 configured loss terms" in finding.evidence
        assert "every epoch in force: hinge; never in force: grl" in finding.evidence
    assert raised(silent("done", ENDED, (1, 2, 2)), "never_acted", never_acted=2.0) == []


def test_never_acted_waits_until_every_term_had_its_turn() -> None:
    for status in ("pruned", "stopped"):
        early = silent(status, ENDED, (1, 1, 1))
        assert raised(early, "never_acted") == []
        assert "phase 2" in not_evaluated(early)["never_acted"]
    for status in ("running", "failed", "diverged"):
        started = silent(status, [row for row in ENDED if row[0] < 3], (2, 2))
        assert raised(started, "never_acted") == []
        assert "the end of the unit" in not_evaluated(started)["never_acted"]


@pytest.mark.parametrize("at", [(2, "hinge", 0.1, 0.3, 0.0), (3, "hinge", 0.1, 0.0, 1e-9)])
def test_one_epoch_of_value_or_gradient_is_enough(at: tuple[int, str, float, float, float]) -> None:
    rows = [at if row[:2] == at[:2] else row for row in ENDED if row[1] != "grl"]
    assert evaluate(silent("done", rows, (1, 2, 2))) == []


@pytest.mark.parametrize(
    ("columns", "fires"),
    [
        ({"in_force": 0.5, "acting": 0.0, "weight": 0.0, "value": 0.0}, True),
        ({"in_force": 0.5, "acting": 0.1, "weight": 0.0, "value": 0.0}, False),
    ],
    ids=["in force earlier in the epoch, and silent", "acted at some of its steps"],
)
def test_steps_before_the_last_one_of_an_epoch_count(columns: dict[str, float], fires: bool) -> None:
    records = silent("done", [row for row in ENDED if row[1] != "grl"], (1, 2, 2))
    terms = pd.DataFrame(records.terms)
    terms.loc[terms["term"] == "hinge", list(columns)] = list(columns.values())
    found = raised(UnitRecords(records.row, records.epochs, terms, records.cells), "never_acted")
    assert bool(found) == fires
    assert all("every epoch in force: hinge" in finding.evidence for finding in found)


def parts(*rows: tuple[int, str, float, dict[str, float]], status: str = "done") -> UnitRecords:
    """A unit of which every term acts, with rows (epoch, part, share in force, figures) of a gated energy."""
    base = silent(status, [row for row in ENDED if row[1] == "task"], (1, 2, 2))
    told = [
        {"epoch": epoch, "id": "M12", "mechanism": "gated", "part": part, "in_force": share, **figures}
        for epoch, part, share, figures in rows
    ]
    return UnitRecords(base.row, base.epochs, base.terms, base.cells, told)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [(1, "gate", 0.0, {}), (2, "gate", 1.0, {"amount": 0.0})],
            "in every epoch in force: M12 gated gate",
        ),
        ([(1, "phase", 1.0, {"amount": 0.0}), (2, "phase", 1.0, {"amount": 1.0})], None),
        (
            [(k, "parameters", 1.0, {"gradient": 0.0, "moved": 0.0}) for k in (1, 2)],
            "force: M12 gated parameters",
        ),
        ([(k, "parameters", 1.0, {"gradient": 1e-9 * k, "moved": 0.0}) for k in (0, 1)], None),
        ([(k, "state", 0.0, {"moved": 0.0}) for k in (1, 2)], "never in force: M12 gated state"),
        ([(1, "state", 1.0, {"moved": 0.2}), (2, "state", 1.0, {"moved": 0.0})], None),
    ],
)
def test_a_part_of_a_mechanism_that_was_silent_is_named(
    rows: list[tuple[int, str, float, dict[str, float]]], text: str | None
) -> None:
    findings = raised(parts(*rows), "never_acted")
    assert bool(findings) == (text is not None)
    for finding in findings:
        assert finding.value == 1.0
        assert finding.evidence.startswith("1 of 1 parts of mechanisms never acted; ")
        assert finding.evidence.endswith(str(text))


def test_an_unknown_figure_of_a_part_judges_nothing() -> None:
    records = parts((1, "gate", 1.0, {}), (2, "gate", 1.0, {"amount": 0.0}))
    assert raised(records, "never_acted") == []
    assert "values of the tables terms and mechanisms" in not_evaluated(records)["never_acted"]
