"""Rules with a limit hold just beyond it and not just before it, within 5 % on either side."""

import math
from typing import Any

import pytest

from tests.analysis.rule_units import raised, unit

LOGGED = "logged"


@pytest.mark.parametrize(
    ("rule", "broken", "kept"),
    [
        ("train_spike", {"train": (0.85, 0.5)}, {"train": (0.8499, 0.5)}),
        ("train_spike", {"train": (0.5, 0.89)}, {"train": (0.5, 0.81)}),
        ("temperature_extreme", {LOGGED: {"temperature": 10.4}}, {LOGGED: {"temperature": 10.0}}),
        ("temperature_extreme", {LOGGED: {"temperature": 0.096}}, {LOGGED: {"temperature": 0.1}}),
        ("weak_weights", {"weight": 0.48}, {"weight": 0.5}),
        ("drowned_term", {"pearson": {"grad_share": 0.0096}}, {"pearson": {"grad_share": 0.01}}),
        ("constant_environment", {LOGGED: {"r_var": 0.0097**2}}, {LOGGED: {"r_var": 0.0103**2}}),
        ("dead_competition", {"idle": 0.91}, {"idle": 0.89}),
        ("energy_mismatch", {"audit": {"energy_gap": 1.04}}, {"audit": {"energy_gap": 0.97}}),
        (
            "lazy_teacher",
            {"taught": (0.1, 0.1), LOGGED: {"student_var": 0.049, "teacher_var": 1.0}},
            {"taught": (0.1, 0.1), LOGGED: {"student_var": 0.051, "teacher_var": 1.0}},
        ),
        (
            "lazy_teacher",
            {"taught": (0.1, 0.1), LOGGED: {"student_var": 0.01, "teacher_var": 1.0}},
            {"taught": (0.1, 0.099), LOGGED: {"student_var": 0.01, "teacher_var": 1.0}},
        ),
        ("not_learning", {"loss": (0.5, 0.6, 0.5, 0.4)}, {"loss": (0.5, 0.5, 0.5, 0.48)}),
        ("shortcut", {"promoter": 0.80}, {"promoter": 0.79}),
    ],
)
def test_just_beyond_and_just_before_a_limit(rule: str, broken: dict[str, Any], kept: dict[str, Any]) -> None:
    epochs = [{}] * len(broken.get("loss", (0, 0)))
    train = {} if len(epochs) == 2 else {"train": (0.7,) * len(epochs)}
    (finding,) = raised(unit(*epochs, **(train | broken)), rule)
    assert finding.evidence
    assert raised(unit(*epochs, **(train | kept)), rule) == []


@pytest.mark.parametrize(("share", "stands"), [(0.51, True), (0.5, False)])
def test_saturated_beyond_half_of_the_pairs(share: float, stands: bool) -> None:
    found = raised(unit({"saturated": share}, {"saturated": share}), "saturated")
    assert {each.cell_line for each in found} == ({"K562", "pooled"} if stands else set())


def test_a_spike_after_the_second_epoch_is_none() -> None:
    late = unit({}, {}, {}, loss=(0.6, 0.5, 0.4), train=(0.5, 0.6, 0.9))
    assert raised(late, "train_spike") == []
    assert len(raised(late, "train_spike", **{"train_spike.epochs": 3.0})) == 1


@pytest.mark.parametrize(("drowned", "stands"), [(2, True), (1, False)])
def test_a_term_is_drowned_in_half_of_its_epochs(drowned: int, stands: bool) -> None:
    shares = [0.001] * drowned + [0.3] * (4 - drowned)
    records = unit(
        {}, {}, {}, {}, loss=(0.6, 0.5, 0.4, 0.3), train=(0.7,) * 4, pearson={"grad_share": shares}
    )
    assert [each.series for each in raised(records, "drowned_term")] == ["pearson"] * stands


def test_a_satisfied_or_absent_term_is_not_drowned() -> None:
    for columns in ({"value": 0.0}, {"weight": 0.0}, {"acting": 0.4, "grad_share": 0.0}):
        term = {"grad_share": 0.001, **columns}
        assert raised(unit(pearson=term), "drowned_term") == []
    assert len(raised(unit(pearson={"acting": 1.0, "grad_share": 0.0}), "drowned_term")) == 1


def test_correction_harms_by_more_than_chance_only() -> None:
    effect = 1.96 * math.sqrt(0.9 * 0.1 / 200)
    for lost, stands in ((effect * 1.04, True), (effect * 0.96, False)):
        values = {"aupr": 0.9 - lost}
        assert len(raised(unit(values, values, alone=0.9), "correction_harms")) == stands
