"""Whoever uses or gives away weights is told what speaks against their configuration."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from analysis.store import Run
from harness.predict.output import write_predictions
from harness.trained.caveats import caveats
from tests.recorded.copies import RUN, Copy, write_run


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run.open(shutil.copytree(RUN, tmp_path_factory.mktemp("runs") / "recorded"))


def test_a_collapse_and_baselines_above_are_said(recorded: Run) -> None:
    configs = recorded.table("units")["config"].unique()
    said = {config: caveats(recorded, config) for config in configs}
    assert any("fault mode_collapse (" in line for lines in said.values() for line in lines)
    assert all("\n" not in line for lines in said.values() for line in lines)
    below = [line for lines in said.values() for line in lines if line.startswith("not above the data's")]
    assert below
    assert all(" on val_unseen, " in line for line in below)


def test_a_unit_that_the_audit_stopped_is_said(tmp_path: Path) -> None:
    stopped = {"status": "stopped", "reason": "audit: competition\nis inert"}
    run = Run.open(write_run(tmp_path / "run", [Copy("aaa111"), Copy("bbb222", {"a": 1}, unit=stopped)]))
    assert "3 units of it stopped, in no figure: audit: competition\\nis inert" in caveats(run, "bbb222")
    assert not any("stopped" in line for line in caveats(run, "aaa111"))


def test_warnings_stand_above_what_was_predicted(tmp_path: Path) -> None:
    row = {"enhancer": "chr1:1-2", "promoter": "chr1:3-4", "cell_line": "A", "probability": 0.5}
    rows = pd.DataFrame([row | dict.fromkeys(("logit", "sd_units", "sd_draws", "u", "r", "units"), 1.0)])
    for name, head in (("out.tsv", "enhancer\t"), ("out.bedpe", "#chrom1\t")):
        write_predictions(tmp_path / name, rows, ["fault mode_collapse", "two\nlines"])
        lines = (tmp_path / name).read_text().splitlines()
        assert lines[:2] == ["# warning: fault mode_collapse", r"# warning: two\nlines"]
        assert lines[2].startswith(head)
        write_predictions(tmp_path / name, rows, [])
        assert (tmp_path / name).read_text().startswith(head)
    write_predictions(tmp_path / "out.tsv", rows, ["x"])
    assert pd.read_csv(tmp_path / "out.tsv", sep="\t", comment="#")["cell_line"].tolist() == ["A"]
