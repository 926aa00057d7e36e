"""A worker goes from fold to fold and keeps nothing of the fold before."""

import weakref
from pathlib import Path

import pytest

from analysis.store import Run
from harness.config.blocks.data import DataBlock
from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds
from harness.sweep.cluster.packing import Packing
from harness.sweep.worker import TrialWorker, Work
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import TINY
from tests.narrow import present


def test_a_worker_holds_one_fold_and_is_called_by_its_trial(
    tiny_dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six folds: never more units in memory than one trial has seeds."""
    titles: list[str] = []
    monkeypatch.setattr("harness.sweep.worker.setproctitle", titles.append)
    folds = make_folds(tiny_dataset, DataBlock(root=Path("data"), folds="each cell line"))[:6]
    config = compose(TINY, {"optimiser.epochs": 1}).resolved(gpu=False)
    work = Work(tmp_path / "run", tuple(folds), "val_unseen/pooled/aupr", (), "cpu", 1)
    assignment = {
        "configuration": config.id,
        "config": Packing().pack(config),
        "changes": {},
        "seeds": [0, 1],
    }
    assignment |= {"finished": {}, "dataset": str(tiny_dataset.path)}
    one = object.__new__(TrialWorker)
    held: weakref.WeakSet[UnitRun] = weakref.WeakSet()
    largest = 0
    for number, fold in enumerate(folds):
        trial = {**assignment, "fold": fold.id, "shares": False, "name": f"{fold.name}: base"}
        if number:
            assert one.reset_config(trial)
        else:
            one.setup(trial, work=work)
        assert one.step()["status"] == "done"
        held.update(present(one.unit_runs))
        largest = max(largest, len(held))
    one.cleanup()
    assert (largest, len(folds) >= 5) == (2, True)
    assert titles == [f"ray::{fold.name}: base.train()" for fold in folds]
    assert len(Run.open(work.run).table("units")) == 2 * len(folds)
