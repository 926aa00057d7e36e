"""The validation of the rules: what is planted is found, health is told without a rule, and the bounds are exact."""

import json
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.metrics import by_cell
from analysis.rules import RULES, UnitRecords
from harness.config.blocks.paths import flatten
from harness.config.space.compose import compose, load_preset
from harness.validate.cases import append, lines, planted_rows, trained_rows
from harness.validate.faults import Fault, judged
from harness.validate.figures import (
    Proportion,
    RuleFigures,
    audited_without,
    faulty_recipes,
    faulty_shares,
    rule_figures,
    seconds_by_recipe,
)
from harness.validate.health import EndedTrials, TrialUnit, has_learnt
from harness.validate.markdown import groups_markdown, rules_markdown
from harness.validate.need import able_counts, in_need
from harness.validate.planted import FAULTS
from harness.validate.recipes import FORMS, RECIPES, SMALL
from harness.validate.trials import FormData
from harness.validate.trials import arms as arms_of
from tests.analysis.rule_units import unit
from tests.typed import rows_of

FEW = 12


def scores(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Pairs of two unseen cell lines, of other prevalences, that U_I and the logit tell apart well."""
    line = np.repeat(["A", "B"], 500)
    label = (rng.random(1000) < np.where(line == "A", 0.4, 0.6)).astype(int)
    u = 2.0 * label - 1.0 + rng.normal(size=1000)
    return {"label": label, "cell_line": line, "u": u, "logit": u + np.where(line == "A", -0.5, 0.5)}


def trial_unit(number: int) -> TrialUnit:
    """A healthy unit with everything that a fault can be planted in."""
    found = scores(np.random.default_rng(number))
    log = {"student_var": 0.5, "teacher_var": 1.0}
    records = unit(loss=(0.6, 0.5), idle=0.2, taught=(0.3, 0.2), logged=log, promoter=0.6)
    lists: dict[str, Any] = {name: _rows(table) for name, table in vars(records).items() if name != "row"}
    lists["terms"] = [{**row, "acting": 1.0} for row in lists["terms"]]
    lists["cells"] = [
        {**row, "auc_design_effect": 1.0, "auc_null": 0.5}
        | {"epoch": epoch, "selection": selection, "split": "val_unseen", "score": score}
        | {"prevalence_mode": "as_found", "protocol": "exact"}
        for epoch, selection in ((1, "epoch"), (2, "epoch"), (2, "best_on_validation"))
        for score, values in (("u_only", found["u"]), ("corrected", found["logit"]))
        for row in by_cell(values, found["label"], found["cell_line"], threshold_logit=0.0)
    ]
    lists["baselines"] = [
        {"baseline": "promoter_kmer_logistic", "cell_line": line, "n": 500, "auc": 0.6} for line in "AB"
    ]
    return TrialUnit(f"u{number}", "minimal", "linear", number % 2, UnitRecords(records.row, **lists), found)


@pytest.fixture(scope="module")
def units() -> list[TrialUnit]:
    return [trial_unit(number) for number in range(4)]


def _rows(table: Any) -> list[dict[str, Any]]:
    return rows_of(table) if isinstance(table, pd.DataFrame) else list(table)


def test_a_healthy_unit_is_accused_by_no_rule(units: list[TrialUnit]) -> None:
    for row in trained_rows(units, FAULTS):
        assert not {rule for rule in row["raised"] if RULES[rule].severity == "fault"}
        assert row["unable"] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.rule)
def test_planted_faults_are_raised(fault: Fault, units: list[TrialUnit]) -> None:
    few = Fault(fault.rule, fault.dose, fault.plant, FEW, fault.can)
    assert all(fault.fits(one) for one in units)
    rows = list(planted_rows(few, units, set()))
    assert [row["half"] for row in rows] == [0, 1] * (FEW // 2)
    assert sum(row["raised"] for row in rows) >= FEW - 2, rows
    assert list(planted_rows(few, units, set(range(FEW - 2)))) == rows[-2:], (
        "a case is the same whenever it is made"
    )


def test_a_fault_is_of_a_rule_and_of_every_inferred_one() -> None:
    inferred = {
        "mode_collapse", "shortcut", "dead_competition", "lazy_teacher", "correction_harms", "constant_environment",
        "zero_input", "drowned_term", "never_acted", "not_learning", "inert_mechanism", "test_leak", "energy_mismatch",
    }  # fmt: skip
    assert (
        {fault.rule for fault in FAULTS}
        == inferred
        == {name for name, rule in RULES.items() if rule.severity == "fault"}
    )
    assert all(fault.cases >= 2 * 60 for fault in FAULTS), "60 on the half that is reported"
    halves: dict[str, list[int]] = {}
    for arm in arms_of(places()):
        halves.setdefault(arm.recipe, []).append(arm.half)
    assert halves.keys() == RECIPES.keys()
    for name, recipe in RECIPES.items():
        assert len(halves[name]) == len(recipe.forms)
        assert sum(halves[name]) * 2 == len(recipe.forms), "configurations of two halves"


def places(*forms: str) -> list[FormData]:
    """Where recipes are trained, on these forms or on all; data are not read."""
    kinds = {(form, tuple(recipe.data.items())) for recipe in RECIPES.values() for form in recipe.forms}
    nothing: Any = None
    return [
        FormData(form, dict(changes), nothing, nothing, nothing)
        for form, changes in sorted(kinds)
        if form in (forms or FORMS)
    ]


def test_what_is_bound_to_have_a_fault_is_no_healthy_recipe() -> None:
    known = {name: recipe.fault for name, recipe in RECIPES.items() if recipe.fault}
    assert known == {
        "rp24": "drowned_term",
        "rp25": "drowned_term",
        "taught, marker alone": "lazy_teacher",
    }
    for name in ("rp24", "rp25"):
        (raised,) = (each for each in RECIPES if each.startswith(f"{name}, "))
        assert RECIPES[raised].preset == name, "the preset is among the healthy ones, with that weight raised"
        ((key, weight),) = RECIPES[raised].changes.items()
        before = flatten(compose(load_preset(name), SMALL).model_dump())[key]
        assert 2.9 * before < weight < 10.1 * before
    lazy, mended = RECIPES["taught, marker alone"], RECIPES["taught, attention"]
    assert lazy.changes["environment.encoder"] == mended.changes["environment.encoder"] == "attention"
    assert (lazy.data, mended.data) == ({}, {"motifs": 2})


def test_recipes_with_a_fault_are_counted_apart() -> None:
    rows: list[dict[str, Any]] = [
        {
            "recipe": "rp24",
            "drowned": at < 3,
            "lesson": None,
            "unable": ["drowned_term"] * (at == 4),
            "raised": ["drowned_term"] * (at < 2) + ["shortcut"] * (at == 3),
        }
        for at in range(5)
    ]
    (one,) = faulty_recipes(rows)
    assert (one.recipe, one.raised, one.witnessed, one.both, one.others) == (
        "rp24",
        Proportion(2, 4),
        3,
        2,
        1,
    )
    taught = [
        {"recipe": "taught, marker alone", "drowned": True, "unable": [], "lesson": {"verdict": verdict}}
        | {"raised": ["lazy_teacher"]}
        for verdict in ("lazy", "undecided")
    ]
    (other,) = faulty_recipes(taught)
    assert (other.raised, other.witnessed, other.both) == (Proportion(2, 2), 1, 1), "labels are its witness"


def test_the_audit_is_held_against_units_that_it_had_no_part_in() -> None:
    healthy: list[dict[str, Any]] = [
        {"half": 0, "raised": [], "unable": [] if at else ["inert_mechanism"]} for at in range(4)
    ]
    accused: list[dict[str, Any]] = [{"half": 0, "raised": ["inert_mechanism"], "unable": []}]
    assert audited_without(healthy, accused) == Proportion(1, 4)


def test_what_a_trial_takes_is_a_mean_of_its_recipe() -> None:
    rows: list[dict[str, Any]] = [
        {"recipe": name, "seconds": seconds}
        for name, seconds in (("a", 2.0), ("a", 4.0), ("a", nan), ("b", 1.0))
    ]
    assert seconds_by_recipe(rows) == {"a": 3.0, "b": 1.0}


def test_what_is_trained_further_is_what_a_rule_lacks() -> None:
    """Of two forms each recipe at first; then what has units that the lacking rule can be judged on, and no other."""
    arms = arms_of(places("linear", "interaction"))
    assert list(in_need(arms, 0, [], ["lazy_teacher"], 9)) == arms
    healthy: list[dict[str, Any]] = [
        {
            "recipe": arm.recipe,
            "form": arm.place.form,
            "unable": [] if arm.recipe.startswith("taught") else ["lazy_teacher"],
        }
        for arm in arms
        if RECIPES[arm.recipe].fault is None
        for _ in range(RECIPES[arm.recipe].seeds)
    ]
    rules = ["lazy_teacher", "not_learning"]
    assert able_counts(healthy, rules) == {"lazy_teacher": 48, "not_learning": 48 + 48}
    taught = [arm.name for arm in arms if arm.recipe.startswith("taught") and not RECIPES[arm.recipe].fault]
    assert len(taught) == 6
    assert [arm.name for arm in in_need(arms, 1, healthy, rules, 88)] == taught[:5], (
        "no more than are lacking"
    )
    assert [arm.name for arm in in_need(arms, 1, healthy, rules, 64)] == taught[:2]
    without_fault = {name for name, recipe in RECIPES.items() if recipe.fault is None}
    assert {arm.recipe for arm in in_need(arms, 1, healthy, rules, 200)} == without_fault
    assert list(in_need(arms, 1, healthy, rules, 48)) == []
    of_taught = [row for row in healthy if row["recipe"].startswith("taught")]
    rarely = [{**row, "unable": ["lazy_teacher"] * (at % 8 > 0)} for at, row in enumerate(of_taught)]
    assert list(in_need(arms, 1, rarely, ["lazy_teacher"], 48)) == [], "one unit of eight is not worth a turn"


def test_health_is_decided_without_a_rule(units: list[TrialUnit]) -> None:
    records = units[0].records
    cells: Any = records.cells
    done = {"status": "done"}
    assert has_learnt(done, cells)
    assert not has_learnt({"status": "stopped"}, cells)
    trials = EndedTrials([], [], [], 0)
    assert trials.of(units[0], {"active", "idle"}) is trials.healthy
    assert trials.of(units[0], {"active", "leaking"}) is trials.accused
    assert trials.of(units[0], {"inert"}) is trials.accused
    assert trials.of(replace(units[0], recipe="rp24"), {"active"}) is trials.faulty
    for auc, healthy in ((0.53, False), (0.54, True)):  # 1.96 standard errors of 2 x 500 pairs are 0.036
        known = [{**row, "auc": auc} if row["score"] == "u_only" else row for row in cells]
        assert has_learnt(done, known) == healthy


def test_bounds_are_those_of_clopper_and_pearson() -> None:
    assert Proportion(59, 60).bounds == pytest.approx((0.9106, 0.99958), abs=1e-4)
    assert Proportion(0, 75).bounds == pytest.approx((0.0, 0.0480), abs=1e-4)
    assert Proportion(0, 0).bounds == (0.0, 1.0)


def test_figures_are_of_one_half_and_limits_of_the_other() -> None:
    planted = [
        {
            "rule": "drowned_term",
            "half": half,
            "raised": half == 1,
            "at": {"0.5": False, "1": False, "2": True},
        }
        | {"at": {f"{f:g}": f >= 1.5 for f in (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)}}
        for half in (0, 1)
        for _ in range(40)
    ]
    healthy: list[dict[str, Any]] = [
        {"half": half, "recipe": "p", "form": "f", "unable": [], "at": {}}
        | {"raised": ["drowned_term"] * (half == 1 and at < 4)}
        for half in (0, 1)
        for at in range(40)
    ]
    (one,) = (each for each in rule_figures(planted, healthy) if each.rule == "drowned_term")
    assert (one.recall.value, one.alarms.value, one.every.value, one.tuned) == (1.0, 0.1, 0.05, 1.5)
    assert one.precision == pytest.approx(0.1 / (0.1 + 0.9 * 0.05))
    assert one.worst_precision < one.precision
    assert faulty_shares(healthy)["all"] == Proportion(4, 80)


def test_tables_of_the_documentation_are_written() -> None:
    figures = RuleFigures(
        "shortcut", "-", Proportion(59, 60), Proportion(1, 75), Proportion(2, 150), tuned=None
    )
    heading, rule, row = rules_markdown([figures]).splitlines()
    assert heading.count("|") == rule.count("|") == row.count("|") == 8
    assert row == "| `shortcut` | 60 | 0.983 | 0.911 | 1 of 75, 0.072 | 2 of 150, 0.047 | 0.891 |"
    assert groups_markdown({"all": Proportion(0, 0)}).splitlines()[2] == "| all | 0 | 0 | - | 1.000 |"


def test_lines_of_another_code_count_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    append(file, iter([{"case": 0}]), "old")
    append(file, iter([{"case": 1}]), "new")
    assert [row["case"] for row in lines(file, "new")] == [1]
    assert len(file.read_text().splitlines()) == 2
    assert json.loads(file.read_text().splitlines()[0])["code"] == "old"


def test_rules_can_be_judged_on_what_a_fault_leaves(units: list[TrialUnit]) -> None:
    assert judged(units[0].records, "mode_collapse") == (False, None)
