"""A sweep that stacks its seeds: the worker trains them as one, and what cannot be stacked is refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from analysis.errors import UserError
from analysis.store import Run
from harness.config.blocks.sweep import TrialBlock
from harness.config.space.compose import compose
from harness.config.sweep.sweep import load_sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.sweep.cluster.packing import Packing
from harness.sweep.search.impossible import refuse_impossible
from harness.sweep.search.sharing import Sharing
from harness.sweep.worker import TrialWorker, Work
from tests.harness.conftest import TINY

YAML = """
name: stacked
base: minimal
data: {synthetic: {}}
trial: {epochs: 2, seeds: 2, replicates: stacked}
design: grid
set: {support.size: 4, episode.query: 8, curriculum.phase1_epochs: 1}
space: {optimiser.lr: {grid: [0.001, 0.002]}}
"""


def trained(work: Work, dataset: EncodedDataset, changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Reports of a worker on a trial of two seeds, until it is done."""
    config = compose(TINY, {"optimiser.epochs": 2, "optimiser.steps_per_epoch": 2, **changes}).resolved()
    worker: TrialWorker = object.__new__(TrialWorker)
    worker.setup(
        {
            "configuration": config.id,
            "config": Packing().pack(config),
            "changes": changes,
            "fold": work.folds[0].id,
            "seeds": [0, 1],
            "name": "tiny",
            "finished": {},
            "shares": False,
            "dataset": str(dataset.path),
        },
        work=work,
    )
    reports = [worker.step()]
    while not reports[-1]["done"]:
        reports.append(worker.step())
    worker.cleanup()
    return reports


@pytest.fixture
def work(tiny_fold: Fold, tmp_path: Path) -> Work:
    return Work(tmp_path / "stacked", (tiny_fold,), "val_unseen/pooled/aupr", (), "cpu", 1, stacked=True)


def test_a_stacked_trial_ends_as_a_separate_one(
    work: Work, tiny_dataset: EncodedDataset, tmp_path: Path
) -> None:
    separate = replace(work, run=tmp_path / "separate", stacked=False)
    reports = [trained(each, tiny_dataset, {}) for each in (work, separate)]
    for mine, theirs in zip(*reports, strict=True):
        assert mine["status"] == theirs["status"]
        assert mine["statuses"] == theirs["statuses"]
        assert mine["objective"] == pytest.approx(theirs["objective"], rel=0.05)
    assert [len(Run.open(each.run).table("units")) for each in (work, separate)] == [2, 2]


def test_a_balance_that_cannot_be_stacked_ends_its_trial(work: Work, tiny_dataset: EncodedDataset) -> None:
    changes = {"balance.kind": "pcgrad", "loss.prototypes.weight": 0.5}
    (report,) = trained(work, tiny_dataset, changes)
    assert report["status"] == "failed"
    assert "balance.kind: pcgrad asks for the gradient of each" in report["reason"]


def test_a_sweep_that_cannot_be_stacked_is_refused(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(YAML)
    refuse_impossible(load_sweep(file), tiny_dataset, [tiny_fold], gpu=False)
    file.write_text(YAML.replace("set: {", "set: {balance.kind: grad_norm, loss.prototypes.weight: 0.5, "))
    with pytest.raises(UserError, match=r"balance\.kind: grad_norm asks for the gradient of each"):
        refuse_impossible(load_sweep(file), tiny_dataset, [tiny_fold], gpu=False)


def test_phase_1_is_not_shared_in_a_stack(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(YAML)
    assert Sharing(load_sweep(file), tiny_dataset, tiny_fold, gpu=False).why == (
        "not shared (trial.replicates: stacked)"
    )


def test_one_seed_is_no_stack() -> None:
    assert TrialBlock(replicates="stacked").seed_list == [0, 1, 2, 3, 4]
    with pytest.raises(
        ValidationError, match=r"stacked stacks the seeds of a trial, and trial\.seeds gives one"
    ):
        TrialBlock(replicates="stacked", seeds=[3])
