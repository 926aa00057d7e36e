"""The notebooks run from top to bottom on the recorded run, in whatever folder Jupyter starts, and carry no outputs."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

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


def test_notebooks_are_stored_without_outputs() -> None:
    assert len(NOTEBOOKS) == 3
    for file in NOTEBOOKS:
        code = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
        assert code
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code), file.name
