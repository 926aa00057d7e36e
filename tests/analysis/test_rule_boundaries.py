"""Every rule with a limit holds 1 % beyond it and not 1 % before it; where it can be hit, at the limit as declared."""

import json
import math
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
import pytest

from analysis.rules import LIMITS, RULES, UnitRecords, not_evaluated, why
from analysis.rules.chance import BOUND, hanley_mcneil
from tests.analysis.rule_units import raised, unit

LOGGED = "logged"
MARGIN = 0.01
COUNTED = {"support_labels", "never_acted", "rank_invariant", "inert_mechanism", "test_leak"}
"""Rules whose value is a number of things: their limit is 0, and one is too many."""
NO_EDGE = {"train_spike.epochs", "not_learning", "shortcut", "negative_loss"}
"""A whole number, and limits of 0, which have no 1 %: tests of their own below."""


class Edge(NamedTuple):
    """A limit, the comparison by which a value breaks it, and the unit in which that value is measured."""

    limit: str
    breaks: Callable[[float, float], bool]
    made: Callable[[float], UnitRecords]
    exact: bool = True
    """Whether the value can be the limit itself, in floating point."""


def both(**values: Any) -> UnitRecords:
    """Two epochs with these values in `cells`."""
    return unit(values, values)


def auc_below(upper: float, pairs: int) -> float:
    """The AUC whose upper 95 % bound that is, with as many pairs, half of them positive."""
    return upper - BOUND * float(hanley_mcneil(0.6, pairs // 2, pairs // 2))


def unlearnt(upper: float, pairs: int = 400) -> UnitRecords:
    return both(auc=auc_below(upper, pairs), n=pairs, positives=pairs // 2, auc_null=0.5)


def harmed(upper: float) -> UnitRecords:
    """A gain of AUPR over U_I alone whose upper bound that is."""
    gain = upper - BOUND * math.sqrt(0.9 * 0.1 / 200)
    return unit({"aupr": 0.9 + gain}, {"aupr": 0.9 + gain}, alone=0.9)


def lazy(ratio: float) -> UnitRecords:
    return unit(taught=(0.1, 0.1), logged={"student_var": ratio, "teacher_var": 1.0})


EDGES = [
    Edge("overfit_train", operator.gt, lambda v: unit(train=(0.7, v))),
    Edge("train_spike", operator.ge, lambda v: unit(train=(0.5, v))),
    Edge("generalisation_gap", operator.gt, lambda v: unit({}, {"aupr": 0.5}, train=(0.6, 0.5 + v)), False),
    Edge("mode_collapse", operator.lt, lambda v: both(logit_sd=v)),
    Edge("mode_collapse.probability", operator.lt, lambda v: both(probability_sd=v)),
    Edge(
        "mode_collapse.auc",
        operator.lt,
        lambda v: both(auc=auc_below(v, 400), recall=1.0, precision=0.5),
        False,
    ),
    Edge("threshold_low", operator.lt, lambda v: both(threshold_oracle=v)),
    Edge("threshold_high", operator.ge, lambda v: both(threshold_oracle=v)),
    Edge("loose_boundary", operator.gt, lambda v: both(recall=v, precision=0.5)),
    Edge("loose_boundary.precision", operator.lt, lambda v: both(recall=0.9, precision=v)),
    Edge("over_capacity", operator.gt, lambda v: unit(parameters=round(1000 * v))),
    Edge("not_learning.auc", operator.lt, unlearnt, False),
    Edge("not_learning.chance", operator.lt, lambda v: unlearnt(v, 40_000), False),
    Edge("zero_input", operator.lt, lambda v: unlearnt(0.5 + v), False),
    Edge("drowned_term", operator.lt, lambda v: unit(pearson={"grad_share": v})),
    Edge("saturated", operator.gt, lambda v: both(saturated=v)),
    Edge("temperature_extreme", operator.gt, lambda v: unit(logged={"temperature": v})),
    Edge("temperature_extreme.low", operator.lt, lambda v: unit(logged={"temperature": v})),
    Edge("weak_weights", operator.lt, lambda v: unit(weight=v)),
    Edge("correction_harms", operator.lt, harmed, False),
    Edge("constant_environment", operator.lt, lambda v: unit(logged={"r_var": v**2}), False),
    Edge("energy_mismatch", operator.gt, lambda v: unit(audit={"energy_gap": v})),
    Edge("dead_competition", operator.ge, lambda v: unit(idle=v), False),
    Edge("lazy_teacher", operator.lt, lazy),
]


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.limit)
def test_a_limit_is_broken_beyond_it_and_not_before(edge: Edge) -> None:
    rule, limit = edge.limit.split(".")[0], LIMITS[edge.limit]
    step = MARGIN * (limit or 1.0)
    for value in (limit - step, limit + step, *([limit] if edge.exact else [])):
        found = raised(edge.made(value), rule)
        assert bool(found) == edge.breaks(value, limit), value
        assert all(each.evidence for each in found)


def test_every_rule_with_a_limit_has_its_edge() -> None:
    assert {edge.limit for edge in EDGES} | NO_EDGE == {
        name for name in LIMITS if name.split(".")[0] not in COUNTED
    }
    assert set(RULES) >= COUNTED
    assert {LIMITS[rule] for rule in COUNTED} == {0.0}


@pytest.mark.parametrize(
    ("rule", "broken", "kept"),
    [
        ("negative_loss", {"loss": (0.1, -1e-3)}, {"loss": (0.1, 0.0)}),
        ("not_learning", {"loss": (0.5, 0.5)}, {"loss": (0.5, 0.49)}),
        ("not_learning", {"loss": (0.5, 0.6, 0.5, 0.4)}, {"loss": (0.5, 0.5, 0.5, 0.48)}),
        ("shortcut", {"promoter": 0.80}, {"promoter": 0.799}),
        (
            "lazy_teacher",
            {"taught": (0.1, 0.1), LOGGED: {"student_var": 0.01, "teacher_var": 1.0}},
            {"taught": (0.1, 0.099), LOGGED: {"student_var": 0.01, "teacher_var": 1.0}},
        ),
    ],
)
def test_just_beyond_and_just_before_a_limit_of_0(
    rule: str, broken: dict[str, Any], kept: dict[str, Any]
) -> None:
    epochs: list[dict[str, Any]] = [{}] * len(broken.get("loss", (0, 0)))
    train = {} if len(epochs) == 2 else {"train": (0.7,) * len(epochs)}
    assert len(raised(unit(*epochs, **(train | broken)), rule)) == 1
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


@pytest.mark.parametrize(("share", "stands"), [(0.0, False), (0.001, True)])
def test_a_competition_that_rests_is_not_drowned(share: float, stands: bool) -> None:
    """Its value is never 0, since its Opportunists learn at every step."""
    records = unit(pearson={"term": "competition", "acting": 1.0, "grad_share": share})
    assert [each.series for each in raised(records, "drowned_term")] == ["competition"] * stands


@pytest.mark.parametrize("rule", ["zero_input", "correction_harms", "shortcut"])
@pytest.mark.parametrize("weak", [(), (1,), (2,), (1, 2)], ids=str)
def test_an_end_without_power_is_not_passed(rule: str, weak: tuple[int, ...]) -> None:
    """Of a unit with all three faults, in whatever epochs its unseen pairs could show them."""
    faulty = {"auc": 0.51, "auc_null": 0.55, "aupr": 0.4}
    epochs = ({**faulty, "auc_design_effect": 40.0 if epoch in weak else 1.0} for epoch in (1, 2))
    records = unit(*epochs, promoter=0.8, alone=0.72)
    stands = 2 not in weak
    assert bool(raised(records, rule)) == stands
    missing = not_evaluated(records).get(rule, "")
    assert missing.startswith("underpowered: the unseen pairs") == (not stands)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"verdict": "active"}], None),
        ([{"verdict": "inert"}, {"verdict": "active", "moment": "last"}], None),
        ([{"verdict": "inert"}], "inert by the audit: M22 support; of 1 mechanism"),
        (
            [{"verdict": "leaking"}, {"verdict": "active", "moment": "last"}],
            "leaking by the audit: M22 support; of 1 mechanism",
        ),
        (
            [{"verdict": "active"}, {"id": "-", "mechanism": "examples", "verdict": "broken"}],
            "broken by the audit: examples; of 1 mechanism",
        ),
        ([{"id": "-", "mechanism": "cell_batch", "verdict": "broken"}], "broken by the audit: cell_batch"),
        ([{"verdict": "active"}, {"id": "-", "mechanism": "turn", "verdict": "idle"}], None),
    ],
)
def test_whatever_the_audit_accuses_is_a_fault(rows: list[dict[str, str]], said: str | None) -> None:
    """Where `audit: warn` lets the unit go on, nothing else says so in a ranking."""
    base = {"moment": "first", "id": "M22", "mechanism": "support"}
    records = unit(audit=base)
    last: Any = list(records.audit)[-1]
    audit = [{**last, **base, **row} for row in rows]
    texts = [each.evidence for each in raised(replace(records, audit=audit), "inert_mechanism")]
    assert texts == ([] if said is None else [said])


def test_what_a_unit_is_not_configured_for_is_not_passed() -> None:
    missing = not_evaluated(unit(promoter=0.5))
    assert set(missing) == {"dead_competition", "lazy_teacher", "shortcut"}
    assert all(why(text).startswith("nothing to judge: no ") for text in missing.values())
    compared = unit(audit={"moment": "last", "id": "-", "mechanism": "prediction"})
    assert "verdicts on mechanisms" in not_evaluated(compared)["inert_mechanism"]
    late = unit({}, {}, loss=(0.6, 0.5)).epochs
    assert isinstance(late, pd.DataFrame)
    records = replace(unit(), epochs=late.assign(epoch=late["epoch"] + 2))
    assert "first two epochs" in not_evaluated(records)["train_spike"]
    unmeasured = both(auc_null=None)
    assert "auc_null" in not_evaluated(unmeasured)["zero_input"]


@pytest.mark.parametrize(("kind", "stands"), [("ramp", False), ("fixed", True)])
def test_a_term_that_is_ramped_in_is_not_drowned_yet(kind: str, stands: bool) -> None:
    records = unit(pearson={"weight": [0.2, 0.4], "grad_share": 0.001})
    content = {
        **json.loads(str(records.row["config_json"])),
        "balance": {"kind": kind},
        "loss": {"task": "immax"},
    }
    ramped = replace(records, row={**records.row, "config_json": json.dumps(content)})
    assert [each.series for each in raised(ramped, "drowned_term")] == ["pearson"] * stands
