"""What every rule keeps to: all units at once are judged as each by itself, and what is registered is declared."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from analysis.flags import NO_EPOCH, OF_TRAINING, survey
from analysis.rules import (
    LIMITS,
    RULES,
    Broken,
    Reading,
    Readings,
    Rule,
    Table,
    UnitRecords,
    Units,
    Watch,
    judge,
    not_evaluated,
    register,
)
from analysis.rules.table import Floats
from analysis.store import KEYS, Run
from tests.analysis.rule_units import HEALTHY, raised, unit
from tests.contracts import random_records
from tests.contracts.settings import SETTINGS
from tests.typed import rows_of

LINES = ("macro", "pooled", "K562", "HMEC")
NEAR = {
    "aupr": (0.6, 1.0),
    "auc": (0.45, 0.8),
    "recall": (0.7, 1.0),
    "precision": (0.48, 0.7),
    "prevalence": (0.4, 0.6),
    "f1": (0.4, 0.7),
    "f1_oracle": (0.5, 0.7),
    "threshold_oracle": (0.0, 1.0),
    "logit_sd": (0.0, 0.2),
    "probability_sd": (0.0, 0.04),
    "n": (50, 800),
    "positives": (0, 50),
    "auc_design_effect": (0.9, 3.0),
    "threshold_oracle_logit": (-3.0, 3.0),
    "power": (0.5, 1.0),
    "upper": (0.4, 0.8),
    "lines": (1, 4),
    "known": (0, 1),
    "saturated": (0.3, 0.7),
    "auc_null": (0.5, 0.6),
    "negatives": (20, 800),
}


def _run(seed: int, units: int = 48) -> Run:
    """A run in memory of random numbers around the limits, with gaps, odd protocols and units that lack tables."""
    rng = np.random.default_rng(seed)
    unit_rows: list[dict[str, Any]] = []
    epochs: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    terms: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    reports: list[dict[str, Any]] = []
    audit: list[dict[str, Any]] = []

    def some(value: float, share: float = 0.05) -> float:
        return float("nan") if rng.random() < share else value

    for number in range(units):
        key = {"config": f"c{number // 2}", "fold": "f", "seed": number % 2}
        limits = {} if number % 3 else {"loose_boundary": 0.85, "mode_collapse": 0.1}
        limits = {"loose_bondary": 1.0} if number // 2 == 5 else limits
        content = {"limits": limits, "support": {"labels": bool(rng.random() < 0.2)} if number % 5 else {}}
        sizes = {"parameters": some(float(rng.integers(1, 2000)), 0.1), "train_pairs": 100.0}
        status = ("done", "pruned", "running", "stopped", "diverged")[int(rng.integers(0, 5))]
        content |= {"optimiser": {"epochs": 3}, **random_records.settings(rng)}
        audit += random_records.of_unit(random_records.audit(rng), key)
        facts = {
            "status": status,
            "epochs": 3,
            "gate_closes": number % 4 == 1,
            "config_json": json.dumps(content),
        }
        unit_rows.append({**key, **sizes, **facts, **random_records.facts(rng)})
        count = int(rng.integers(0, 5))
        for epoch in range(1, count + 1):
            logged = {"loss": some(rng.uniform(-0.3, 1)), "train_aupr": some(rng.uniform(0.8, 1))}
            if number % 7 == 3:
                logged["train_aupr"] = float("nan")
            logged |= random_records.logged(rng, epoch)
            epochs.append({**key, "epoch": epoch, **logged, "phase": 1 + int(rng.random() < 0.6)})
            terms += random_records.of_unit(random_records.terms(rng, epoch), key)
            reports += random_records.of_unit(random_records.reports(rng, epoch), key)
            terms.append({**key, "epoch": epoch, "term": "task", "weighted": rng.uniform(-1, 1)})
            terms[-1] |= {"weight": 1.0, "value": some(0.5), "grad_norm": 0.1}
            for term, silent in (("hinge", 0.7), ("waiting", 0.5)):
                weight = float(term == "hinge" or rng.random() < 0.3)
                value = 0.0 if rng.random() < silent else 0.2
                row = {**key, "epoch": epoch, "term": term, "weight": weight, "weighted": 0.0}
                row |= {
                    "value": some(value, 0.02) if weight else None,
                    "grad_norm": value if weight else None,
                }
                terms.append(row)
        for epoch, selection in [(e, "epoch") for e in range(1, count + 1)] + [(count, "best_on_validation")]:
            if count == 0 or number % 11 == 10:
                continue
            for split in ("val_unseen", "train", "test"):
                for score in ("corrected", "u_only") if number % 4 else ("u_only",):
                    for protocol in ("documented", "exact") if number % 6 == 5 else ("exact",):
                        for line in LINES:
                            values = {name: some(rng.uniform(*span)) for name, span in NEAR.items()}
                            if number % 2:
                                values |= {"n": 4000.0, "positives": float(rng.integers(1000, 3000))}
                            row = {"split": split, "score": score, "protocol": protocol, "cell_line": line}
                            cells.append({**key, **row, **values, "epoch": epoch, "selection": selection})
                            if number % 8 == 7 and rng.random() < 0.2:
                                cells.append(cells[-1])
        if rng.random() < 0.5:
            warnings.append({**key, "rule": rng.choice([*RULES, "of_somebody"]), "value": 1.0, "limit": 0.5})
    run = Run(Path("nowhere"))
    for name, rows in {
        "units": unit_rows,
        "epochs": epochs,
        "as_found": [{**row, "prevalence_mode": "as_found"} for row in cells],
        "terms": terms,
        "warnings": warnings,
        "reports": reports,
        "audit": audit,
        "baselines": random_records.BASELINES,
    }.items():
        table = "cells" if name == "as_found" else name
        frame = pd.DataFrame(rows)
        missing = [column for column in run.table(table).columns if column not in frame]
        run._tables[name] = frame.assign(**dict.fromkeys(missing))
    whole = run._tables["as_found"]
    judged = whole[
        ((whole["split"] == "val_unseen") & (whole["selection"] != "last"))
        | ((whole["split"] == "test") & (whole["selection"] == "best_on_validation"))
    ]
    position = {key: at for at, key in enumerate(run.table("units")[KEYS].itertuples(index=False, name=None))}
    run._tables["judged"] = judged.assign(
        unit=[position[key] for key in judged[KEYS].itertuples(index=False, name=None)]
    )
    return run


def _one_by_one(run: Run) -> tuple[list[dict[str, Any]], dict[tuple[str, str], int]]:
    """Rows of findings, and how many units lacked which input for which rule, unit by unit."""
    rows: list[dict[str, Any]] = []
    missing: Counter[tuple[str, str]] = Counter()
    for trial in rows_of(run.table("units")):
        key = {name: trial[name] for name in KEYS}
        tables = {
            name: frame[(frame[KEYS] == list(key.values())).all(axis=1)]
            for name, frame in (
                ("epochs", run.table("epochs")),
                ("terms", run.table("terms")),
                ("cells", run.as_found()),
                ("reports", run.table("reports")),
                ("audit", run.table("audit")),
            )
        }
        limits = json.loads(trial["config_json"])["limits"]
        limits.pop("loose_bondary", None)
        judged = judge(Units.of_one(UnitRecords(trial, **tables, baselines=random_records.BASELINES)), limits)
        rows += [{**finding.row(), **key} for _, finding in judged.findings]
        early = tables["epochs"].empty
        missing.update(
            (rule, NO_EPOCH if early and OF_TRAINING.search(units[0]) else units[0])
            for rule, units in judged.missing.items()
            if units
        )
    return rows, dict(missing)


@pytest.mark.parametrize("seed", range(4))
def test_all_units_at_once_are_judged_as_each_by_itself(seed: int) -> None:
    run = _run(seed)
    surveyed = survey(run)
    rows, missing = _one_by_one(run)
    assert len(rows) > 50
    assert {row["rule"] for row in rows} >= set(RULES) - {"mode_collapse"}
    kept = surveyed.findings["rule"].isin(RULES) & (surveyed.findings["evidence"].notna())
    found = surveyed.findings[kept].drop(columns="live")
    expected = pd.DataFrame(rows)[found.columns]
    order = [*KEYS, "rule", "cell_line", "evidence"]
    pd.testing.assert_frame_equal(
        found.sort_values(order, ignore_index=True),
        expected.sort_values(order, ignore_index=True),
        check_dtype=False,
        rtol=1e-12,
    )
    counted = surveyed.unevaluated.set_index(["rule", "missing"])["units"].to_dict()
    assert counted == missing
    assert [problem for problem in run.problems if "loose_bondary" in problem] == run.problems[:1]


class Spike(Rule):
    """Loss above 5 at any epoch."""

    id = "spike"
    mark = "k"
    condition_text = "loss > 5"
    severity = "hint"
    source = "a person's own file"
    advice = "lower the learning rate"
    limits: ClassVar[Mapping[str, float]] = {"spike": 5.0}
    lasting = False

    def measure(self, units: Units) -> Readings:
        return units.series("loss")

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        return Broken(values["loss"], limits[self.id], values["loss"] > limits[self.id])

    def evidence(self, reading: Reading) -> str:
        return f"loss {reading.values['loss']:.1f} at epoch {reading.epoch}"


@pytest.fixture
def registered() -> Iterator[None]:
    """What is registered in a test is gone after it."""
    rules, limits = dict(RULES), dict(LIMITS)
    yield
    RULES.clear()
    RULES.update(rules)
    LIMITS.clear()
    LIMITS.update(limits)


@pytest.mark.usefixtures("registered")
def test_a_rule_from_outside_registers_itself_and_is_judged() -> None:
    own = register(Spike)
    assert [*RULES][-1] == "spike"
    assert isinstance(RULES["spike"], own)
    assert LIMITS["spike"] == 5.0
    records = unit(loss=(0.5, 7.0))
    (finding,) = raised(records, "spike")
    assert (finding.rule, finding.mark, finding.value, finding.epoch) == ("spike", "k", 7.0, 2)
    assert raised(records, "spike", spike=8.0) == []
    assert "loss" in not_evaluated(UnitRecords({}))["spike"]
    watch = Watch()
    for row in ({"epoch": 1, "loss": 7.0}, {"epoch": 2, "loss": 0.5}):
        (live,) = watch.see({}, {"epochs": [row], "terms": [], "cells": []})
        assert (live.rule, live.epoch, live.evidence) == ("spike", 1, "loss 7.0 at epoch 1")


@pytest.mark.usefixtures("registered")
def test_order_decides_where_a_rule_stands() -> None:
    register(type("Early", (Spike,), {"__doc__": "Early.", "order": 12}))
    assert [*RULES][:3] == ["overfit_train", "spike", "train_spike"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "", "mark": "", "advice": ""}, "it lacks id, mark, advice"),
        (
            {"condition_text": "", "severity": "", "source": "", "limits": {}},
            "condition_text, severity, source, limits",
        ),
        ({"__doc__": None}, "it lacks a docstring"),
        ({"id": "My Rule"}, "'My Rule' must be of small letters"),
        ({"id": "negative_loss"}, "there is a rule 'negative_loss' already"),
        ({"mark": "kk"}, "'kk' must be one letter"),
        ({"mark": "o"}, "'o' is that of rule overfit_train"),
        ({"severity": "grave"}, "'grave' must be one of documented, fault, hint"),
        ({"limits": {"other": 1.0}}, "must be named spike, then spike.<part>, not other"),
        ({"limits": {"spike": 1.0, "part": 2.0}}, "not spike, part"),
    ],
)
def test_a_rule_without_a_declaration_is_not_registered(changes: dict[str, Any], said: str) -> None:
    before = dict(RULES)
    broken = type("Mine", (Spike,), {"__doc__": "Mine.", **changes})
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        register(broken)
    assert "warning rule Mine cannot be registered" in str(error.value)
    assert before == RULES


def test_a_rule_without_its_methods_is_not_registered() -> None:
    texts = {
        "__doc__": "Half a rule.",
        "id": "half",
        "mark": "H",
        "condition_text": "half",
        "severity": "hint",
    }
    texts |= {"source": "nowhere", "advice": "write the rest"}
    half = type("Half", (Rule,), {**texts, "limits": {"half": 1.0}})
    with pytest.raises(ValueError, match="it lacks condition, evidence, measure"):
        register(half)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_takes_units_without_rows_and_no_units_at_all(rule: Rule) -> None:
    empty = Units.of_one(UnitRecords({}))
    assert len(rule.measure(empty)) == 0
    assert judge(empty, rules=[rule]).missing[rule.id].keys() == {0}
    nobody = Units(Table([]), Table([]), Table([]), Table([]), lambda split: Table([]))
    assert judge(nobody, rules=[rule]).findings == []


@pytest.mark.parametrize(("key", "changes"), SETTINGS["warning rule"].items())
def test_a_rule_is_raised_by_its_case_and_not_by_a_healthy_unit(key: str, changes: dict[str, Any]) -> None:
    of_unit = {name: value for name, value in changes.items() if name not in HEALTHY}
    of_cells = {name: value for name, value in changes.items() if name in HEALTHY}
    assert raised(unit(), key) == []
    found = raised(unit(of_cells, of_cells, **of_unit), key)
    assert found
    assert all(f.limit == LIMITS[key] and f.evidence and f.advice for f in found)
