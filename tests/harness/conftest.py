"""A tiny synthetic dataset and configuration that a unit trains on within a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.audit import unit_inspector
from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.unit_run import UnitRun

TINY: dict[str, Any] = {
    "model": {"encoder": "cnn", "embedding": 4, "kernel": 5, "width": 8, "pool": 12},
    "environment": {"source": "support", "width": 4},
    "support": {"size": 8, "draws": 3},
    "episode": {"query": 16, "per_step": 4},
    "optimiser": {"epochs": 3, "steps_per_epoch": 3},
    "evaluation": {"train_subset": 64},
    "audit": "off",
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Bitwise reproducibility is promised for one thread count."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests patch the harness in this process, where recorded examples would see it before the rest of the audit does."""
    monkeypatch.setattr(unit_inspector, "strange_examples", lambda config, *, anew: [])


@pytest.fixture(scope="session")
def tiny_block() -> DataBlock:
    synthetic = SyntheticBlock(
        form="gated",
        cell_lines=5,
        pairs_per_cell=80,
        chromosomes=4,
        motifs=4,
        enhancer_bp=80,
        promoter_bp=100,
    )
    return DataBlock(synthetic=synthetic)


@pytest.fixture(scope="session")
def tiny_dataset(tiny_block: DataBlock, tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    cache = tmp_path_factory.mktemp("cache")
    return open_dataset(tiny_block, enhancer_bp=400, promoter_bp=1600, cache=cache, progress=False)


@pytest.fixture(scope="session")
def tiny_fold(tiny_dataset: EncodedDataset, tiny_block: DataBlock) -> Fold:
    return make_folds(tiny_dataset, tiny_block)[0]


MakeUnit = Callable[..., UnitRun]


def replicates_of(dataset: EncodedDataset, fold: Fold, folder: Path) -> MakeUnit:
    """make(changes, seed=0, run="run", **options): a unit of TINY with dotted changes, its run below the folder."""

    def make(
        changes: dict[str, Any] | None = None, *, seed: int = 0, run: str = "run", **options: Any
    ) -> UnitRun:
        config: ConfigurationBlock = compose(TINY, changes or {}).resolved()
        return UnitRun(
            config,
            dataset,
            fold,
            seed,
            RunWriter(folder / run),
            **{"inspector": AuditInspector, **options},
        )

    return make


@pytest.fixture
def make_unit(tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path) -> MakeUnit:
    return replicates_of(tiny_dataset, tiny_fold, tmp_path)
