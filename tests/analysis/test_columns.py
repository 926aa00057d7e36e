"""Rules on all units at once find what rules unit by unit find."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.errors import UserError
from analysis.flags import survey
from analysis.rules import LIMITS, RULES, Reading, judge
from analysis.store import KEYS, Run

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
    "negatives": (20, 800),
}


def _run(seed: int, units: int = 36) -> Run:
    """A run in memory of random numbers around the limits, with gaps, odd protocols and units that lack tables."""
    rng = np.random.default_rng(seed)
    trials: list[dict[str, Any]] = []
    epochs: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    terms: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []

    def some(value: float, share: float = 0.05) -> float:
        return float("nan") if rng.random() < share else value

    for number in range(units):
        key = {"config": f"c{number // 2}", "fold": "f", "seed": number % 2}
        limits = {} if number % 3 else {"loose_boundary": 0.85, "mode_collapse": 0.1}
        limits = {"loose_bondary": 1.0} if number // 2 == 5 else limits
        content = {"limits": limits, "support": {"labels": bool(rng.random() < 0.2)} if number % 5 else {}}
        sizes = {"parameters": some(rng.integers(1, 2000), 0.1), "train_pairs": 100.0}
        status = ("done", "pruned", "running", "stopped", "diverged")[int(rng.integers(0, 5))]
        content |= {"optimiser": {"epochs": 3}, "energy": {"form": "gated" if number % 4 == 1 else "linear"}}
        trials.append({**key, **sizes, "status": status, "config_json": json.dumps(content)})
        count = int(rng.integers(0, 5))
        for epoch in range(1, count + 1):
            logged = {"loss": some(rng.uniform(-0.3, 1)), "train_aupr": some(rng.uniform(0.8, 1))}
            if number % 7 == 3:
                logged["train_aupr"] = float("nan")
            epochs.append({**key, "epoch": epoch, **logged, "phase": 1 + int(rng.random() < 0.6)})
            terms.append({**key, "epoch": epoch, "term": "task", "weighted": rng.uniform(-1, 1)})
            terms[-1] |= {"weight": 1.0, "value": some(0.5), "grad_norm": 0.1}
            for term, silent in (("hinge", 0.7), ("waiting", 0.5)):
                weight = float(term == "hinge" or rng.random() < 0.3)
                value = 0.0 if rng.random() < silent else 0.2
                sizes = {
                    "value": some(value, 0.02) if weight else None,
                    "grad_norm": value if weight else None,
                }
                terms.append(
                    {**key, "epoch": epoch, "term": term, "weight": weight, "weighted": 0.0, **sizes}
                )
        for epoch, selection in [(e, "epoch") for e in range(1, count + 1)] + [(count, "best_on_validation")]:
            if count == 0 or number % 11 == 10:
                continue
            for split in ("val_unseen", "train", "test"):
                for score in ("corrected", "u_only") if number % 4 else ("u_only",):
                    for protocol in ("documented", "exact") if number % 6 == 5 else ("exact",):
                        for line in LINES:
                            values = {name: some(rng.uniform(*span)) for name, span in NEAR.items()}
                            row = {"split": split, "score": score, "protocol": protocol, "cell_line": line}
                            cells.append({**key, **row, **values, "epoch": epoch, "selection": selection})
                            if number % 8 == 7 and rng.random() < 0.2:
                                cells.append(cells[-1])
        if rng.random() < 0.5:
            warnings.append({**key, "rule": rng.choice([*RULES, "test_leak"]), "value": 1.0, "limit": 0.5})
    run = Run(Path("nowhere"))
    for name, rows in {
        "trials": trials,
        "epochs": epochs,
        "as_found": [{**row, "prevalence_mode": "as_found"} for row in cells],
        "terms": terms,
        "warnings": warnings,
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
    position = {
        key: at for at, key in enumerate(run.table("trials")[KEYS].itertuples(index=False, name=None))
    }
    run._tables["judged"] = judged.assign(
        unit=[position[key] for key in judged[KEYS].itertuples(index=False, name=None)]
    )
    return run


def _one_by_one(run: Run) -> tuple[list[dict[str, Any]], dict[tuple[str, str], int]]:
    """Rows of findings, and how many units lacked which input for which rule, unit by unit."""
    rows, missing = [], {}
    for unit in run.units():
        limits = json.loads(unit.trial["config_json"])["limits"]
        try:
            judged = judge(unit, limits)
        except UserError:
            judged = judge(unit)
        rows += [{**finding.row(), **{key: unit.trial[key] for key in KEYS}} for finding in judged.findings]
        for rule, what in judged.missing.items():
            missing[rule, what] = missing.get((rule, what), 0) + 1
    return rows, missing


@pytest.mark.parametrize("seed", range(4))
def test_a_survey_finds_what_rules_find_unit_by_unit(seed: int) -> None:
    run = _run(seed)
    surveyed = survey(run)
    rows, missing = _one_by_one(run)
    assert len(rows) > 50 and {row["rule"] for row in rows} >= set(RULES) - {"mode_collapse"}
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


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_excess_is_how_far_a_violation_is_from_its_limit(rule: Any) -> None:
    rng = np.random.default_rng(3)
    names = {"train": (0.8, 1), "unseen": (0.6, 0.9), "loss": (-1, 1), "labels": (0, 2), "silent": (0, 2)}
    names |= {"terms": (2, 5)}
    names |= {"parameters": (1, 2000), "train_pairs": (100, 101), **NEAR}
    values = {name: rng.uniform(*span, size=4000) for name, span in names.items()}
    values |= {name: np.floor(values[name]) for name in ("positives", "labels", "silent")}
    values["precision"][:2000] = values["prevalence"][:2000]
    values["recall"][:2000] = 1.0
    values["power"][2000:] = np.nan
    values["logit_sd"][:1000] += 1
    values["probability_sd"][:1000] += 1
    values["lowest_term"] = np.full(4000, np.nan)
    far = rule.excess(values, LIMITS)
    broken = 0
    for at in range(4000):
        reading = Reading({name: float(column[at]) for name, column in values.items()}, 1)
        violation = rule.condition(reading, LIMITS)
        broken += violation is not None
        if violation is None:
            assert np.isnan(far[at])
        else:
            assert far[at] == pytest.approx(abs(violation.value - violation.limit), rel=1e-12)
    assert 0 < broken < 4000
