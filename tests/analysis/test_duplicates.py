"""Copies among a run's own configurations: a fault, or what never_acted says of them."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.duplicates import _METRICS as METRICS
from analysis.duplicates import FEWEST, RULE, copies
from analysis.flags import survey
from analysis.store import Run
from tests.recorded.copies import WEIGHT, Copy, recorded, write, write_run

PAIR = (Copy("aaa111", {WEIGHT: 0.5}), Copy("bbb222", {WEIGHT: 1.0}))


def test_configurations_of_equal_results_are_a_fault(tmp_path: Path) -> None:
    run = Run.open(write_run(tmp_path / "run", PAIR))
    (copy,) = copies(run)
    assert copy.configs == ("aaa111", "bbb222")
    assert copy.decimals is None
    findings = survey(run).findings
    raised = findings[findings["rule"] == RULE]
    assert sorted(zip(raised["config"], raised["seed"], strict=True)) == [
        (name, seed) for name in copy.configs for seed in range(3)
    ]
    assert set(raised["severity"]) == {"fault"}
    assert "identical as reported to bbb222" in raised["evidence"].iloc[0]


@pytest.mark.parametrize("explained", [True, False])
def test_a_copy_that_a_silent_term_explains_is_never_acted(explained: bool, tmp_path: Path) -> None:
    other = {} if explained else {"optimiser.epochs": 99}
    pair = (PAIR[0], Copy("bbb222", {WEIGHT: 1.0, **other}))
    folder = write_run(tmp_path / "run", pair)
    silent = {"value": 0.0, "weighted": 0.0, "grad_norm": 0.0, "acting": 0.0}
    for copy in pair:
        for seed in range(3):
            rows = recorded("terms", copy.form, seed)
            key = {"config": copy.config, "fold": "chr8", "seed": seed}
            rows = [row | key | (silent if row["weight_key"] == WEIGHT else {}) for row in rows]
            write(folder, "terms", f"{copy.config}-chr8-{seed}.parquet", rows)
    rules = set(survey(Run.open(folder)).findings["rule"])
    assert "never_acted" in rules
    assert (RULE in rules) is not explained


def test_a_result_that_differs_anywhere_is_no_copy(tmp_path: Path) -> None:
    differing = (PAIR[0], Copy("bbb222", {WEIGHT: 1.0}, lift=(0.0, 0.0, 1e-9)))
    assert copies(Run.open(write_run(tmp_path / "run", differing))) == []


def test_what_is_reported_from_phase_1_is_shared(tmp_path: Path) -> None:
    early = tuple(Copy(copy.config, copy.changes, epoch={"phase": 1}) for copy in PAIR)
    assert copies(Run.open(write_run(tmp_path / "run", early))) == []


@pytest.mark.parametrize("seed", range(20))
def test_copies_are_what_a_look_at_every_number_says(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs are found in sorted columns; here each number of each pair is looked at, of made-up results in which places and
    numbers are missing and a metric is constant."""
    rng = np.random.default_rng(seed)
    alike = np.round(rng.random((2, 12, len(METRICS))), 3)
    rows = []
    for config, pattern in zip("abcd", rng.permutation([0, 0, 1, 1]), strict=True):
        numbers = alike[pattern].copy()
        numbers[:, 3] = 0.5
        numbers[rng.integers(12), rng.integers(len(METRICS))] += 1e-9 * (seed % 3 == 0)
        numbers[rng.random(numbers.shape) < 0.1 * rng.integers(2)] = np.nan
        rows += [
            {
                "config": config,
                "line": f"L{at % 4}",
                "key": f"{at:02d}",
                **dict(zip(METRICS, numbers[at], strict=True)),
            }
            for at in range(12)
            if rng.random() < 0.95
        ]
    results = pd.DataFrame(rows).sample(frac=1, random_state=seed)
    monkeypatch.setattr("analysis.duplicates._results", lambda run: results)
    monkeypatch.setattr("analysis.duplicates._digits", lambda run: {})
    found = {copy.configs: copy.numbers for copy in copies(Run(tmp_path))}
    assert found == _looked_at(results)
    assert found or seed % 3 == 0


def _looked_at(results: pd.DataFrame) -> dict[tuple[str, str], int]:
    by_config = {str(name): part.set_index("key") for name, part in results.groupby("config")}
    same = {}
    for one, other in combinations(sorted(by_config), 2):
        places = by_config[one].index.intersection(by_config[other].index)
        numbers, equal = 0, True
        for metric in METRICS:
            a, b = by_config[one].loc[places, metric], by_config[other].loc[places, metric]
            known = a.notna() & b.notna()
            if len(set(a[known])) > 1 or len(set(b[known])) > 1:
                equal &= bool((a[known] == b[known]).all())
                numbers += int(known.sum())
        if equal and numbers >= FEWEST:
            same[one, other] = numbers
    return same
