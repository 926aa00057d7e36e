"""A worker on a node where nothing can run fails no unit: the sweep pauses with the node's name."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis.schema import PROVENANCE
from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.sweep.cluster.packing import Packing
from harness.sweep.cluster.shipping import Shipping
from harness.sweep.run import shared
from harness.sweep.run.shared import mark
from harness.sweep.worker import TrialWorker, Work
from tests.harness.conftest import TINY


@pytest.fixture
def work(tiny_fold: Fold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Of a run that the driver has written its provenance to."""
    monkeypatch.setattr(shared, "PATIENCE", 0.0)
    run = tmp_path / "run"
    run.mkdir()
    (run / PROVENANCE).write_text("{}")
    return Work(run, (tiny_fold,), "val_unseen/pooled/aupr", (), "cpu", 1, mark=mark(run))


def step(work: Work, dataset: Path) -> dict[str, Any]:
    """The first report of a worker that is given a trial."""
    config = compose(TINY, {"optimiser.epochs": 1}).resolved(gpu=False)
    worker = object.__new__(TrialWorker)
    assignment = {
        "configuration": config.id,
        "config": Packing().pack(config),
        "changes": {},
        "seeds": [0],
        "shares": False,
    }
    rest = {"fold": work.folds[0].id, "name": "tiny", "finished": {}, "dataset": str(dataset)}
    worker.setup({**assignment, **rest}, work=work)
    return worker.step()


def assert_paused(report: dict[str, Any], run: Path) -> None:
    assert (report["done"], report["status"]) == (True, "running")
    assert sorted(file.name for file in run.iterdir()) == [PROVENANCE], "nothing may be written there"


def test_a_shared_run_folder_is_written_to(work: Work, tiny_dataset: EncodedDataset) -> None:
    assert step(work, tiny_dataset.path)["status"] == "done"


@pytest.mark.parametrize("there", ["nothing", "another start"])
def test_another_run_folder_is_not_written_to(work: Work, tiny_dataset: EncodedDataset, there: str) -> None:
    file = work.run / PROVENANCE
    file.write_text('{"started": "later"}')
    if there == "nothing":
        file.unlink()
    report = step(work, tiny_dataset.path)
    assert report["paused"] == (
        f"{work.run} on node {socket.gethostname()} is not the folder that the sweep was started in: --out has to lie on "
        "a folder that all nodes share, under one path"
    )
    file.touch()
    assert_paused(report, work.run)


def test_a_node_without_a_gpu_that_torch_can_use_is_named(work: Work, tiny_dataset: EncodedDataset) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    report = step(replace(work, device="cuda"), tiny_dataset.path)
    assert f"node {socket.gethostname()} was to train on a GPU, and torch" in report["paused"]
    assert_paused(report, work.run)


def test_data_that_a_node_cannot_take_pause_the_sweep(work: Work, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sending = replace(work, shipping=Shipping("0" * 56, work.run))
    report = step(sending, tmp_path / "file" / "store" / "windows-80-80")
    assert report["paused"].startswith(
        f"node {socket.gethostname()}: cache {tmp_path / 'file'} cannot be written"
    )
    assert_paused(report, work.run)
