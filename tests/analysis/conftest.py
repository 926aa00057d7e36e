"""The recorded run, and copies of its units, for the whole room."""

import shutil
from pathlib import Path

import pytest

from tests.recorded.copies import RUN, write_run


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded run: four configurations, three seeds and one fold; read only."""
    return shutil.copytree(RUN, tmp_path_factory.mktemp("runs") / "recorded")


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the four `COPIES`, which are apart enough to be told apart; read only."""
    return write_run(tmp_path_factory.mktemp("planted") / "planted")
