"""Every rule raises on what it describes, stays silent beside it, and says what it misses."""

import numpy as np
import pandas as pd
import pytest

from analysis.errors import UserError
from analysis.metrics import binary_metrics
from analysis.rules import LIMITS, RULES, UnitRecords, evaluate, not_evaluated
from analysis.schema import TABLES, to_table
from tests.analysis.rule_units import cells, raised, unit
from tests.typed import as_a, rows_of

NOT_CONFIGURED = {"dead_competition", "lazy_teacher"}


def test_a_healthy_unit_raises_nothing() -> None:
    assert evaluate(unit()) == []
    taught = unit(idle=0.1, taught=(0.2, 0.1), logged={"student_var": 0.5, "teacher_var": 1.0})
    assert evaluate(taught) == []
    assert not_evaluated(taught) == {}
    assert set(not_evaluated(unit())) == NOT_CONFIGURED


def test_finding_fits_the_warnings_table() -> None:
    (finding,) = evaluate(unit(parameters=20_000))
    table = to_table("warnings", [{**finding.row(), "config": "a", "fold": "f", "seed": 0}])
    assert set(finding.row()) | {"config", "fold", "seed"} == set(TABLES["warnings"].names)
    assert (table["rule"][0].as_py(), table["mark"][0].as_py()) == ("over_capacity", "p")


def test_overfit_train_first_epoch_and_worst_value() -> None:
    records = unit({}, {}, {}, {}, loss=(0.5,) * 4, train=(0.9, 0.96, 0.98, 0.94))
    (finding,) = raised(records, "overfit_train")
    assert (finding.epoch, finding.value, finding.limit) == (2, 0.98, 0.95)
    assert finding.severity == "documented"
    assert raised(unit(train=(0.9, 0.95)), "overfit_train") == []
    assert raised(records, "overfit_train", overfit_train=0.99) == []


def test_negative_loss() -> None:
    (finding,) = raised(unit(loss=(0.1, -0.2)), "negative_loss")
    assert (finding.epoch, finding.value) == (2, -0.2)
    assert raised(unit(loss=(0.1, 0.0)), "negative_loss") == []
    terms = pd.DataFrame({"epoch": [2, 2], "term": ["task", "grl"], "weighted": [0.3, -0.5]})
    records = unit(loss=(0.1, -0.2))
    named = UnitRecords(records.row, records.epochs, terms, records.cells)
    assert "-0.5" in raised(named, "negative_loss")[0].evidence


def test_over_capacity_is_implied_by_sizes() -> None:
    (finding,) = raised(unit(parameters=20_000), "over_capacity")
    assert (finding.value, finding.limit, finding.epoch, finding.implied) == (20.0, 10.0, None, True)
    assert raised(unit(parameters=10_000), "over_capacity") == []


def test_labels_in_the_support_sets_are_hinted_at() -> None:
    (finding,) = evaluate(unit(labels=True))
    assert (finding.rule, finding.severity, finding.epoch) == ("support_labels", "hint", None)
    assert (finding.value, finding.limit, finding.source) == (
        1.0,
        0.0,
        "definitions, Support and query; source document 001 (notes on record point 12)",
    )
    assert evaluate(unit(labels=True), {"support_labels": 1.0}) == []
    for text in (None, "{}", '{"support": {"size": 32}}', "null"):
        records = UnitRecords(row={"config_json": text})
        assert "config_json" in not_evaluated(records)["support_labels"]


def test_lists_of_rows_are_judged_as_data_frames_are() -> None:
    bad = {"threshold_oracle": 0.01, "recall": 0.9, "precision": 0.5, "logit_sd": 0.01}
    frames = unit({"aupr": float("nan")}, bad, loss=(0.1, -0.1), train=(0.97, 0.99))
    lists = UnitRecords(
        frames.row,
        rows_of(frames.epochs),
        rows_of(frames.terms),
        rows_of(as_a(pd.DataFrame, frames.cells).sample(frac=1, random_state=0)),
    )
    found = evaluate(frames)
    assert {f.rule for f in found} > {"threshold_low", "negative_loss", "overfit_train", "generalisation_gap"}
    assert sorted(map(str, evaluate(lists))) == sorted(map(str, found))


def test_gap_for_macro_and_worst_cell_line() -> None:
    records = unit({"aupr": 0.72}, {"aupr": 0.70}, train=(0.80, 0.93))
    found = raised(records, "generalisation_gap")
    assert [(f.cell_line, f.epoch) for f in found] == [("macro", 2), ("K562", 2)]
    assert found[0].value == pytest.approx(0.23)
    assert raised(unit({"aupr": 0.73}, {"aupr": 0.74}, train=(0.8, 0.93)), "generalisation_gap") == []


def test_gap_that_closed_again_does_not_stand() -> None:
    records = unit({"aupr": 0.5}, {"aupr": 0.74}, train=(0.8, 0.8))
    assert raised(records, "generalisation_gap") == []


def test_gap_to_test_is_evidence_only() -> None:
    base = unit({"aupr": 0.70}, {"aupr": 0.70}, train=(0.95, 0.95))
    final = cells({"aupr": 0.70}, {"aupr": 0.70}).assign(selection="best_on_validation")
    test = cells({}, {"aupr": 0.60}, split="test").assign(selection="best_on_validation")
    everything = pd.concat([as_a(pd.DataFrame, base.cells), final[final["epoch"] == 2], test])
    found = raised(UnitRecords(base.row, base.epochs, base.terms, everything), "generalisation_gap")
    assert any("gap to test (macro, reporting only) 0.350" in f.evidence for f in found)
    only_test_bad = pd.concat([as_a(pd.DataFrame, unit().cells), cells({}, {"aupr": 0.1}, split="test")])
    assert raised(UnitRecords(base.row, unit().epochs, base.terms, only_test_bad), "generalisation_gap") == []


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [("threshold_low", 0.049, 0.05), ("threshold_high", 0.95, 0.949)],
)
def test_thresholds(rule: str, bad: float, good: float) -> None:
    found = raised(unit({"threshold_oracle": bad}, {"threshold_oracle": bad}), rule)
    assert {f.cell_line for f in found} == {"K562", "pooled"}
    assert {f.epoch for f in found} == {1}
    assert "F*/2 = 0.36" in found[0].evidence
    assert "loses 0.020 of F1" in found[0].evidence
    assert raised(unit({"threshold_oracle": bad}, {"threshold_oracle": good}), rule) == []


def test_first_epoch_is_the_start_of_what_still_holds() -> None:
    values = [{"threshold_oracle": t} for t in (0.01, 0.4, 0.02, 0.03)]
    records = unit(*values, loss=(0.5,) * 4, train=(0.7,) * 4)
    found = raised(records, "threshold_low")
    assert [(f.epoch, f.value) for f in found] == [(3, 0.02), (3, 0.02)]


def test_reported_weights_count_even_when_the_last_epoch_is_fine() -> None:
    rows = as_a(pd.DataFrame, unit({}, {"threshold_oracle": 0.01}, {}).cells)
    final = cells({}, {"threshold_oracle": 0.01}).assign(selection="best_on_validation")
    records = unit(loss=(0.5,) * 3, train=(0.7,) * 3)
    both = UnitRecords(
        records.row, records.epochs, records.terms, pd.concat([rows, final[final["epoch"] == 2]])
    )
    assert {f.epoch for f in raised(both, "threshold_low")} == {2}


def test_loose_boundary_says_when_the_data_imply_it() -> None:
    loose = {"recall": 0.9, "precision": 0.55}
    (finding, _) = raised(unit({**loose, "auc": 0.70}, {**loose, "auc": 0.70}), "loose_boundary")
    assert finding.implied
    assert "implied by the data" in finding.evidence
    assert "1.64 called positive per positive" in finding.evidence
    (finding, _) = raised(unit({**loose, "auc": 0.80}, {**loose, "auc": 0.80}), "loose_boundary")
    assert not finding.implied
    (finding, _) = raised(unit({**loose, "prevalence": 0.1}, {**loose, "prevalence": 0.1}), "loose_boundary")
    assert not finding.implied
    for harmless in ({"recall": 0.8, "precision": 0.5}, {"recall": 0.9, "precision": 0.6}):
        assert raised(unit(harmless, harmless), "loose_boundary") == []
    limits = {"loose_boundary.precision": 0.5}
    assert [f for f in evaluate(unit(loose, loose), limits) if f.rule == "loose_boundary"] == []


@pytest.mark.parametrize(
    ("column", "bad", "limit"), [("logit_sd", 0.04, 0.05), ("probability_sd", 0.009, 0.01)]
)
def test_collapse_needs_two_epochs(column: str, bad: float, limit: float) -> None:
    (finding,) = raised(unit({column: bad}, {column: bad}), "mode_collapse")
    assert (finding.epoch, finding.value, finding.limit) == (1, bad, limit)
    assert finding.severity == "fault"
    assert finding.cell_line == "K562"
    assert raised(unit({column: bad}, loss=(0.5,), train=(0.5,)), "mode_collapse") == []
    assert raised(unit({column: bad}, {}), "mode_collapse") == []


def test_collapse_from_real_logits() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 400)
    flat = binary_metrics(0.01 * rng.normal(size=400), label, threshold_logit=-0.4)
    spread = binary_metrics(label + rng.normal(size=400), label, threshold_logit=-0.4)
    assert [f.cell_line for f in raised(unit(flat, flat), "mode_collapse")] == ["K562", "pooled"]
    assert raised(unit(spread, spread), "mode_collapse") == []


def test_missing_inputs_are_not_evaluated_never_passed() -> None:
    missing = not_evaluated(UnitRecords(row={}))
    assert set(missing) == set(RULES)
    assert evaluate(UnitRecords(row={})) == []
    assert "train_aupr" in missing["overfit_train"]
    assert "parameters" in missing["over_capacity"]
    assert "val_unseen" in missing["threshold_low"]
    nulls = unit({"threshold_oracle": None, "recall": None}, {"threshold_oracle": None, "recall": None})
    partly = {
        "threshold_low",
        "threshold_high",
        "loose_boundary",
        "mode_collapse",
        "not_learning",
        "zero_input",
        "shortcut",
    }
    assert set(not_evaluated(nulls)) == partly | NOT_CONFIGURED
    empty = UnitRecords(
        row={}, **{n: TABLES[n].empty_table().to_pandas() for n in ("epochs", "terms", "cells")}
    )
    assert set(not_evaluated(empty)) == set(RULES)


def test_corrected_and_exact_rows_are_judged() -> None:
    good = cells({}, {})
    bad = good.assign(threshold_oracle=0.01)
    base = unit()
    for column, other in (("score", "u_only"), ("protocol", "documented"), ("prevalence_mode", "1:20")):
        mixed = pd.concat([good, bad.assign(**{column: other})])
        assert raised(UnitRecords(base.row, base.epochs, base.terms, mixed), "threshold_low") == []
    alone = bad.assign(protocol="documented")
    assert raised(UnitRecords(base.row, base.epochs, base.terms, alone), "threshold_low") != []


def test_unknown_limit_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'overfit_train'"):
        evaluate(unit(), {"overfit_trian": 0.9})
    assert "mode_collapse.probability" in LIMITS
