"""Copies among a run's own configurations: a fault, or what never_acted says of them."""

from pathlib import Path

import pytest

from analysis.duplicates import RULE, copies
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
