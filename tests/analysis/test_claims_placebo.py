"""The prediction on features beside an arm that was trained on permuted v_c: which arm that is, and what is said of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.claims.evaluate import configuration_claims
from analysis.claims.features import distances
from analysis.claims.worlds import features_world
from analysis.intervals import t_interval
from analysis.reported import reported_units
from analysis.store import Run
from tests.recorded.copies import RUN, Copy, write, write_run

BASE, PLACEBO, OTHER = "aaa111", "bbb222", "ccc333"
ENVIRONMENT = {"source": "features", "scope": "cell"}
"""Without what its encoder of support sets has: that of v_c has none."""


def settings(**more: Any) -> dict[str, Any]:
    return {"environment": ENVIRONMENT, **more}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that reads v_c, the same on permuted v_c, and one that differs in more; z_E of the placebo lie far outside."""
    copies = (
        Copy(BASE, {"k": 1}, lift=(0.10, 0.12, 0.11), settings=settings()),
        Copy(PLACEBO, {"k": 1}, lift=(0.01, 0.06, 0.02), settings=settings(permuted=["features"])),
        Copy(OTHER, {"k": 2}, lift=0.3, settings=settings(permuted=["features"], routing="shared")),
    )
    folder = write_run(tmp_path_factory.mktemp("placebo") / "run", copies)
    for config, inside in ((BASE, True), (PLACEBO, False), (OTHER, False)):
        rows = features_world(inside, 3, np.random.default_rng(0)).embeddings.to_dict("records")
        for seed in range(3):
            of = [{str(k): v for k, v in row.items()} for row in rows if row["seed"] == seed]
            key = {"config": config, "fold": "chr8", "seed": seed}
            write(folder, "embeddings", f"{config}-chr8-{seed}.parquet", [{**row, **key} for row in of])
    return folder


def evidence(run: Path, config: str) -> str:
    frame = configuration_claims(Run.open(run), config).frame()
    (said,) = frame.loc[frame["part"] == "inside", "evidence"]
    return "; ".join(said)


def test_the_gain_over_permuted_v_c_is_paired_by_seed(run: Path) -> None:
    units = reported_units(Run(run)).set_index(["config", "seed"])["aupr"]
    gain = t_interval((units[BASE] - units[PLACEBO]).to_numpy())
    far = distances(features_world(False, 3, np.random.default_rng(0)).embeddings)
    ratio = far[far["unseen"]].groupby("seed")["ratio"].mean().mean()
    assert gain.mean == pytest.approx(0.08, abs=0.01)
    said = evidence(run, BASE)
    assert f"against an arm trained on permuted v_c: unseen AUPR {gain.mean:+.4f}" in said
    assert f"{gain.low:.4f}" in said
    assert f"its own distance ratio {ratio:.2f}" in said


def test_an_arm_that_differs_in_more_is_no_placebo(run: Path) -> None:
    assert "trained on permuted v_c: not evaluated, the run has no such arm" in evidence(run, OTHER)


def test_a_support_environment_has_no_placebo_of_v_c() -> None:
    (config, *_) = sorted(json.loads((RUN / "plan.json").read_text())["configs"], key=lambda each: each["id"])
    assert "permuted v_c: " not in evidence(RUN, config["id"]).replace("permuted v_c: relabelled", "")
