"""The notebooks run from top to bottom on the recorded run, in whatever folder Jupyter starts, and carry no outputs."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from analysis.__main__ import main
from analysis.reported import AUDIT_STOP
from tests.recorded.copies import Copy, write_run, write_unit

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "analysis" / "notebooks").glob("*.ipynb"))
FIGURE = "application/vnd.plotly.v1+json"


def _run(name: str, started: Path, run_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Outputs of a notebook whose kernel starts in a folder; the run is named as the project's folder sees it."""
    file = ROOT / "analysis" / "notebooks" / name
    notebook = nbformat.read(file, as_version=4)
    first = notebook.cells[0]
    assert first.source.startswith('RUN = "runs/rp24"'), "the run is set in the first cell"
    first.source = first.source.replace('"runs/rp24"', repr(os.path.relpath(run_path, ROOT)), 1)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(started)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    return outputs


@pytest.mark.parametrize(
    ("name", "started", "figures", "said"),
    [
        ("rank.ipynb", "beside it", 4, ["energy=gated", "promoter_kmer_boosting"]),
        ("compare_mechanisms.ipynb", "the project", 1, ["gated - linear: ", "names no arms"]),
        ("warning_signs.ipynb", "elsewhere", 1, ["mode_collapse", "loose_boundary"]),
    ],
)
def test_a_notebook_runs_from_top_to_bottom(
    name: str,
    started: str,
    figures: int,
    said: list[str],
    run_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folders = {"beside it": NOTEBOOKS[0].parent, "the project": ROOT, "elsewhere": tmp_path}
    outputs = _run(name, folders[started], run_path, monkeypatch)
    text = "".join(str(output.get("data", {})) for output in outputs)
    assert [word for word in said if word not in text] == []
    assert len([output for output in outputs if FIGURE in output.get("data", {})]) == figures


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A run of one seed: of three configurations one has a result, one failed, and the audit stopped one."""
    run = write_run(tmp_path / "broken", [Copy("aaa111", {"energy.form": "linear"})], seeds=(0,))
    for config, form, status, reason in (
        ("bbb222", "gated", "failed", "RuntimeError: out of memory"),
        ("ccc333", "interaction", "stopped", f"{AUDIT_STOP}interaction is inert"),
    ):
        write_unit(run, Copy(config, {"energy.form": form}, status=status, unit={"reason": reason}), 0)
    return run


@pytest.fixture
def reported(tmp_path: Path) -> Path:
    """Results that somebody reported."""
    (tmp_path / "theirs.csv").write_text(
        "name,cell_line,recall,precision,aupr\na,K562,0.9,0.55,0.7\nb,K562,0.9,0.5,0.6\n"
    )
    assert main(["import", str(tmp_path / "theirs.csv"), "--out", str(tmp_path / "theirs")]) == 0
    return tmp_path / "theirs"


@pytest.mark.parametrize(
    ("name", "run", "said"),
    [
        ("rank.ipynb", "broken", ["failed", "stopped by the audit", "audit: interaction is inert"]),
        ("compare_mechanisms.ipynb", "broken", ["no finished units on val_unseen share a fold and seed"]),
        ("compare_mechanisms.ipynb", "reported", ["no configuration has the key", "see above"]),
        (
            "warning_signs.ipynb",
            "reported",
            ["choose the threshold by the cost of a false positive, not by F1"],
        ),
    ],
)
def test_a_notebook_says_what_a_run_has_not(
    name: str,
    run: str,
    said: list[str],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "".join(
        str(each.get("data", {})) for each in _run(name, ROOT, request.getfixturevalue(run), monkeypatch)
    )
    assert [word for word in said if word not in text] == []
    assert "2147483647" not in text, "an epoch that nobody reported"
    assert "+nan" not in text


def test_notebooks_are_stored_without_outputs() -> None:
    assert len(NOTEBOOKS) == 3
    for file in NOTEBOOKS:
        code = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
        assert code
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code), file.name
