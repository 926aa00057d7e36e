"""`analysis.load`: frames from Python are the numbers of the command line, and its docstring examples are true."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis import loaded
from analysis.contrast_rows import contrast_rows
from analysis.effects_figure import effects_figure
from analysis.effects_frame import effects_frame
from analysis.errors import UserError
from analysis.ranking import rank
from tests.analysis.test_arm_effects import NOISE, ablation
from tests.analysis.test_waterfall import path
from tests.narrow import present

ROOT = Path(__file__).parents[2]


def test_docstring_examples_are_true(run_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run_path.parents[0])
    (run_path.parent / "runs").mkdir(exist_ok=True)
    link = run_path.parent / "runs" / "recorded"
    if not link.exists():
        link.symlink_to(run_path)
    outcome = doctest.testmod(loaded)
    assert outcome.attempted >= 8
    assert outcome.failed == 0


def test_frames_are_copies_of_one_moment(run_path: Path) -> None:
    run = analysis.load(run_path)
    first = run.ranking()
    assert first.equals(rank(run.run).configurations)
    first["value"] = 0.0
    assert run.ranking()["value"].min() > 0
    units = run.table("units")
    units["status"] = "gone"
    assert set(run.table("units")["status"]) == {"done"}


def test_curves_have_one_row_per_epoch(run_path: Path) -> None:
    run = analysis.load(run_path)
    curves = run.curves()
    assert len(curves) == len(run.table("epochs"))
    assert curves["unseen_aupr"].notna().all()
    cells = run.table("cells")
    one = curves.iloc[-1]
    same = cells[
        (cells["config"] == one["config"]) & (cells["seed"] == one["seed"]) & (cells["epoch"] == one["epoch"])
        & (cells["selection"] == "epoch") & (cells["split"] == "val_unseen") & (cells["cell_line"] == "macro")
        & (cells["prevalence_mode"] == "as_found")
    ].set_index("score")["aupr"]  # fmt: skip
    assert one["unseen_aupr"] == same.get("corrected", same["u_only"])


def test_predictions_have_their_probability(run_path: Path) -> None:
    run = analysis.load(run_path)
    config = run.table("units")["config"].iloc[0]
    rows = run.predictions("val_unseen", config)
    assert set(rows["config"]) == {config}
    assert np.allclose(rows["probability"], 1 / (1 + np.exp(-rows["logit"])))
    with pytest.raises(UserError, match=r"unknown split 'val_unsen'.*val_unseen"):
        run.predictions("val_unsen")
    with pytest.raises(UserError, match=f"no configuration '{config[:-1]}x'.*{config}"):
        run.predictions(config=config[:-1] + "x")
    with pytest.raises(UserError, match="no table 'unit'"):
        run.table("unit")


def test_effects_of_arms_are_a_row_each(tmp_path: Path) -> None:
    run = ablation(tmp_path / "run", {"b": 0.0, "p": 0.0, "x": [n - 0.08 for n in NOISE], "y": 0.0})
    frame = effects_frame(run)
    assert frame["name"].tolist() == ["without x", "without y", "base, other streams"]
    changed = frame.set_index("name").loc["without x"]
    assert changed["change"] == pytest.approx(-0.08 + np.mean(NOISE), abs=1e-9)
    assert changed["verdict"] == "worse"
    assert changed["reference"] == "base"
    assert frame["p"].notna().all()
    figure = effects_figure(frame)
    assert sum(len(trace.x) for trace in figure.data) == 3
    assert frame["verdict"].tolist()[-1] == "", "of the A/A placebo"
    beside = ablation(
        tmp_path / "chance",
        {"b": 0.0, "p": [0.04 + e for e in NOISE], "x": [-0.03 + e for e in NOISE]},
    )
    small = effects_frame(beside).set_index("name").loc["without x"]
    assert small["verdict"] == "unknown", "not larger than the A/A difference, as the terminal says"
    assert effects_frame(run, metric="nll")["criterion"].unique().tolist() == ["nll"]


def test_the_frame_of_a_path_has_the_rows_of_the_report(tmp_path: Path) -> None:
    run = path(tmp_path)
    told, frame = present(contrast_rows(run, None)), effects_frame(run)
    assert frame["name"].tolist() == [row.name for row in told.rows] == ["+ x", "+ y", "+ z"]
    assert frame["change"].tolist() == [row.interval.mean for row in told.rows]
    assert frame["detectable"].notna().all()
    assert set(frame["family"]) == {"path from minimal"}


def test_a_package_that_is_only_imported_is_light() -> None:
    """Neither torch nor Ray, nor pandas before it is asked for."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import analysis, sys; print('pandas' in sys.modules); analysis.load; "
            "print([name for name in ('torch', 'ray', 'harness', 'models') if name in sys.modules])",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert said.stdout.split("\n")[:2] == ["False", "[]"]
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        vars(analysis)["__getattr__"]("lod")
