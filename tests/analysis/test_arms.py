"""The arms of a design are read from plan.json, and name the rows of a ranking."""

import json
import shutil
from pathlib import Path

import pytest

from analysis.arms import PlannedArm, arm_labels, arms, base
from analysis.ranking import rank
from analysis.store import Run

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The recorded run, whose first two configurations are arms."""
    copy = tmp_path / "run"
    shutil.copytree(RECORDED, copy)
    plan = json.loads((copy / "plan.json").read_text())
    first, second = plan["configs"][:2]
    first |= {"arm": "base", "family": "base"}
    second |= {
        "arm": "without gcn",
        "family": "removal",
        "mechanism": "gcn",
        "along": ["graph_map"],
        "note": "capacity not held",
    }
    (copy / "plan.json").write_text(json.dumps(plan))
    return copy


def test_arms_are_read_from_the_plan_in_its_order(run: Path) -> None:
    read = arms(Run(run))
    first, second = (str(entry["id"]) for entry in Run(run).plan()["configs"][:2])
    assert list(read) == [first, second]
    assert read[second] == PlannedArm(
        "without gcn", "removal", "gcn", ("graph_map",), {}, "capacity not held"
    )
    assert base(Run(run)) == first


def test_a_run_without_arms_has_none() -> None:
    assert arms(Run(RECORDED)) == {}
    assert base(Run(RECORDED)) is None


def test_a_ranking_calls_a_row_by_its_arm(run: Path) -> None:
    known, plain = rank(Run(run)).configurations, rank(Run(RECORDED)).configurations
    told = dict(zip(known["config"], known["label"], strict=True))
    before = dict(zip(plain["config"], plain["label"], strict=True))
    for config, label in told.items():
        arm = arms(Run(run)).get(config)
        assert label == (arm.name if arm else before[config])
    assert "without gcn" in told.values() or "base" in told.values()
    assert arm_labels(Run(run), {"x": {"a.b": 1}}, ["x"]) == {"x": "b=1"}
