"""What works on runs of one's own, on imported ones: refused where it would harm them, told where it has nothing to say."""

import shutil
from pathlib import Path

import pytest

from analysis.__main__ import main as analysis_main
from analysis.errors import UserError
from harness.runs.__main__ import main as runs_main
from harness.shell import terminal
from harness.store.mending import mend


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    file = tmp_path / "reported.csv"
    file.write_text("name,cell_line,aupr\nours,K562,0.5\nours,GM12878,0.9\ntheirs,GM12878,0.85\n")
    assert analysis_main(["import", str(file), "--out", str(tmp_path / "imported")]) == 0
    return tmp_path / "imported"


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_imported_results_are_not_mended(imported: Path) -> None:
    before = contents(imported)
    with pytest.raises(UserError, match="holds results that were imported, and nothing can be trained there"):
        mend(imported)
    assert contents(imported) == before


def test_imported_results_are_shown_and_not_combined(
    imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs_main(["show", str(imported)], terminal.console()) == 0
    assert "cells" in capsys.readouterr().out
    other = Path(shutil.copytree(imported, tmp_path / "other"))
    with pytest.raises(UserError, match="holds imported results, which have no data or folds"):
        runs_main(["combine", str(imported), str(other), "--out", str(tmp_path / "both")], terminal.console())
    assert not (tmp_path / "both").exists()


def test_a_metric_that_nobody_reported_is_named(imported: Path) -> None:
    with pytest.raises(UserError, match="no unit has NLL on val_unseen; what they have is macro AUPR"):
        analysis_main([str(imported), "--by", "nll"])


@pytest.mark.parametrize("name", ["macro", "Pooled"])
def test_no_cell_line_has_the_name_of_a_mean(name: str, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(f"predictor,cell_line,label,score\nm,A,1,0.3\nm,{name},0,0.2\n")
    said = f"row 2, column 'cell_line': '{name}' is what metrics over all cell lines are called"
    with pytest.raises(UserError, match=said):
        analysis_main(["import-predictions", str(file), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_no_difference_is_taken_over_other_cell_lines(
    imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs_main(["diff", str(imported), "ours", "theirs"], terminal.console()) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "no difference is taken: one was measured on GM12878 + K562, the other on GM12878" in out
    assert "95 % interval" not in out


def test_two_runs_are_not_compared_over_other_lines(
    imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "again.csv"
    file.write_text("name,cell_line,aupr\nours,K562,0.5\ntheirs,GM12878,0.75\n")
    assert analysis_main(["import", str(file), "--out", str(tmp_path / "again")]) == 0
    capsys.readouterr()
    assert runs_main(["diff", str(imported), str(tmp_path / "again")], terminal.console()) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "1 configuration left out: measured on different cell lines in the two" in out
    assert "macro AUPR 0.8500 0.7500 -0.1000" in out


def test_a_comparison_by_what_nobody_reported_says_what_there_is(imported: Path) -> None:
    with pytest.raises(UserError, match=r"no unit has pooled AUPR .* is macro AUPR \(--metric aupr\)"):
        analysis_main(["compare", str(imported), "--key", "import.name", "--a", "ours", "--b", "theirs"])
