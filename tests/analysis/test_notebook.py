"""The notebook runs from top to bottom on the recorded run, and carries no outputs in git."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "analysis" / "notebooks" / "rank_configs.ipynb"


def test_notebook_ranks_a_run(run_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    first = notebook.cells[0]
    assert first.source.startswith("RUN = "), "the run is set in the first cell"
    first.source = f"RUN = {str(run_path)!r}\nBY = 'aupr'"
    # The kernel's folder decides what `import analysis` finds.
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parents[2])}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(str(output.get("data", {})) for output in outputs)
    assert "energy=gated" in text
    assert "promoter_kmer_boosting" in text
    figures = [o for o in outputs if "application/vnd.plotly.v1+json" in o.get("data", {})]
    assert len(figures) == 4
    assert not [o for o in outputs if o.output_type == "error"]


def test_notebook_is_stored_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
