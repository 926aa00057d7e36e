"""One dataset for all broken trials of a process."""

import pytest
import torch

from tests.sabotage.trial import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    torch.set_num_threads(1)
    return Bench(tmp_path_factory.mktemp("bench"))
