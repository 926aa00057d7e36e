"""Every way in which a record can lie, and yet recompute, is seen by the check that is there for it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.ledger import consistency
from analysis.ledger.consistency import CONSISTENCY
from analysis.ledger.unit import UnitLedger
from analysis.ledger.verify import verify_unit
from tests.analysis.written_ledger import written

Lie = Callable[[UnitLedger], UnitLedger | None]


def rows(unit: UnitLedger, column: str, value: Any, where: str = "split == 'test'") -> None:
    unit.predictions.loc[unit.predictions.eval(where), column] = value


def lines(unit: UnitLedger, column: str, value: Any, where: str = "split == 'test'") -> None:
    unit.embeddings.loc[unit.embeddings.eval(where), column] = value


def consumed(unit: UnitLedger, column: str, value: float, where: str = "split == 'test'") -> None:
    """Write a value and use it too: the logits are those of the energy."""
    rows(unit, column, value, where)
    u, r, t = (unit.column(name) for name in ("u", "r", "t"))
    unit.predictions["logit"] = (u / (1 + np.exp(-1.5 * r)) / t).astype(np.float32)


def zero_everywhere(unit: UnitLedger) -> None:
    """R_E written as 0 and used as 0, in predictions and embeddings alike."""
    consumed(unit, "r", 0.0, "pair >= 0")
    for name in ("r_cell", "r_student"):
        lines(unit, name, 0.0, "draw >= 0")
    unit.embeddings["r_teacher"] = unit.embeddings["r_teacher"] * 0.0
    lines(unit, "gate", 0.5, "draw >= 0")


LIES: dict[str, tuple[str, Lie, str]] = {
    "a row that is gone": (
        "rows_are_whole",
        lambda u: replace(u, predictions=u.predictions.drop(index=3)),
        "71 predictions",
    ),
    "a pair twice": ("rows_are_whole", lambda u: rows(u, "pair", 5, "pair in [4, 5]"), "more than once"),
    "another draw": ("rows_are_whole", lambda u: rows(u, "draw", 1), "of draw 1"),
    "a lost number": ("rows_are_whole", lambda u: rows(u, "u", np.nan, "pair == 7"), "pair 7, cell line A has no"),
    "two lines of a pair": ("rows_are_whole", lambda u: rows(u, "pair", 0, "pair == 60"), "more than one cell line"),
    "u of another split": ("potential_repeats", lambda u: rows(u, "pair", 0, "pair == 30"), "u is"),
    "T for one split": ("temperature_is_one", lambda u: consumed(u, "t", 1.0), "T of the unit (learned) is 0.75"),
    "T that is negative": ("temperature_is_one", lambda u: consumed(u, "t", -0.75), "not positive"),
    "r of 0, unseen": ("resistance_is_that_of_the_line", lambda u: consumed(u, "r", 0.0), "r is 0, and r_cell"),
    "r of one pair": ("resistance_is_that_of_the_line", lambda u: consumed(u, "r", 1, "pair == 50"), "pair 50"),
    "no embeddings": (
        "resistance_is_that_of_the_line",
        lambda u: replace(u, embeddings=u.embeddings.drop(index=u.embeddings.index[-2:])),
        "no row of embeddings",
    ),
    "all of it 0": ("resistance_is_that_of_the_line", zero_everywhere, "0 in every row"),
    "all of it 0, raw too": ("resistance_is_of_raw", zero_everywhere, "R_E was made of 0.4"),
    "the Student alone": (
        "resistance_is_fused",
        lambda u: lines(u, "r_cell", u.embeddings["r_student"], "split == 'train'"),
        "Student and Teacher give",
    ),
    "a Teacher unheard": ("resistance_is_fused", lambda u: lines(u, "r_teacher", None, "draw == 0"), "no r_teacher"),
    "a Teacher of unseen lines": ("resistance_is_fused", lambda u: lines(u, "r_cell", 0.7), "r_cell is 0.7"),
    "not standardised": (
        "resistance_is_of_raw",
        lambda u: u.embeddings.__setitem__("r_raw", u.embeddings["r_cell"]),
        "r_raw is",
    ),
    "no posterior": ("posterior_extrapolates", lambda u: lines(u, "posterior", None), "is lacking"),
    "its own raw value": ("posterior_extrapolates", lambda u: lines(u, "posterior", 5.0), "posterior mean is 5"),
    "another gate": ("gate_is_that_of_r", lambda u: lines(u, "gate", 0.5), "gate is 0.5"),
}  # fmt: skip


def sentences(unit: UnitLedger, check: str) -> list[str]:
    (function,) = (each for each in CONSISTENCY if each.__name__ == check)
    return list(function(unit))


def test_a_ledger_that_is_true_passes_every_check() -> None:
    unit = written()
    verification = verify_unit(unit)
    assert [text for text in verification.faults if not text.startswith("cells has no rows of")] == []
    assert len(verification.faults) == 6, "two scores at three prevalences"
    assert verification.recomputed == 72
    assert verification.gap < 0.1


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_seen_by_its_check(lie: str) -> None:
    check, plant, text = LIES[lie]
    unit = written()
    said = sentences(plant(unit) or unit, check)
    assert any(text in sentence for sentence in said), said


def test_what_was_consumed_recomputes_and_is_seen_all_the_same() -> None:
    unit = written()
    zero_everywhere(unit)
    verification = verify_unit(unit)
    assert verification.energy == ()
    assert any(text.startswith("r is 0 in every row") for text in verification.record)


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("form", "linear", "ledger_is_as_configured"),
        ("scope", "sample", "ledger_is_as_configured"),
        ("alpha", 0.5, "resistance_is_fused"),
        ("alpha", None, "ledger_is_as_configured"),
        ("temperature", None, "temperature_is_one"),
        ("temperature", 0.7, "temperature_is_one"),
        ("temperature_mode", "fixed", "ledger_is_as_configured"),
        ("reference_mean", 0.0, "resistance_is_of_raw"),
        ("reference_sd", None, "resistance_is_of_raw"),
        ("reference_mean", None, "resistance_is_of_raw"),
        ("w", 2.0, "gate_is_that_of_r"),
        ("posterior", False, "posterior_extrapolates"),
        ("environment", False, "resistance_is_that_of_the_line"),
        ("phase", 1, "resistance_is_that_of_the_line"),
        ("phase", 1, "temperature_is_one"),
        ("phase", 1, "resistance_is_of_raw"),
    ],
)
def test_another_value_in_the_ledger_is_seen(name: str, value: object, check: str) -> None:
    assert sentences(written(**{name: value}), check) != []


def test_every_check_is_tried() -> None:
    tried = {check for check, _, _ in LIES.values()} | {"ledger_is_as_configured"}
    assert tried == {check.__name__ for check in consistency.CONSISTENCY}


def test_a_row_that_differs_is_named() -> None:
    unit = written()
    rows(unit, "logit", unit.predictions["logit"].iloc[40] + 1e-3, "pair == 40")
    (sentence,) = verify_unit(unit).energy
    assert sentence.startswith("split val_seen, pair 40, cell line B: the stored logit is ")
    assert sentence.endswith("(1 of 72 predictions differ)")


def test_sequences_that_repeat_have_one_potential() -> None:
    unit = written()
    unit.predictions["sequence"] = unit.predictions["pair"]
    assert sentences(unit, "potential_repeats") == []
    unit.predictions.loc[[3, 60], "sequence"] = 1000
    assert len(sentences(unit, "potential_repeats")) == 1
