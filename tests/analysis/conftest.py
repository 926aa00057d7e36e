"""One fixture store for the whole room."""

from pathlib import Path

import pytest

from tests.analysis.fixture_store import write_run


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four configurations, three seeds and one fold; read only."""
    return write_run(tmp_path_factory.mktemp("runs") / "fixture")
