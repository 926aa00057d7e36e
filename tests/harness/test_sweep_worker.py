"""A worker: units in lockstep, one configuration after another, and an end for what cannot run."""

import errno
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from analysis.store import Run
from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.stamp.code import Code
from harness.stamp.stamp import Stamp
from harness.store import log_writer
from harness.sweep.cluster.packing import Packing
from harness.sweep.run.verdict import Verdict
from harness.sweep.worker import TrialWorker, Work
from harness.trial.step.diverged import Diverged
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun
from models.episode import Step
from models.losses.ranking import PairwiseRanking
from models.losses.term import State
from tests.harness.conftest import TINY
from tests.harness.test_audit_contracts import batches, mixed

Give = Callable[..., dict[str, Any]]


@pytest.fixture
def give(tiny_dataset: EncodedDataset, tiny_fold: Fold) -> Give:
    """What Tune gives a worker: a configuration of TINY with dotted changes, on two seeds, for two epochs."""

    def given(**changes: Any) -> dict[str, Any]:
        dotted = {path.replace("__", "."): value for path, value in changes.items()}
        config = compose(TINY, {"optimiser.epochs": 2, **dotted}).resolved(gpu=False)
        return {
            "configuration": config.id,
            "config": Packing().pack(config),
            "changes": dotted,
            "fold": tiny_fold.id,
            "seeds": [0, 1],
            "name": "tiny",
            "finished": {},
            "shares": False,
            "dataset": str(tiny_dataset.path),
        }

    return given


@pytest.fixture
def work(tiny_fold: Fold, tmp_path: Path) -> Work:
    return Work(
        run=tmp_path / "run",
        folds=(tiny_fold,),
        objective="val_unseen/pooled/aupr",
        stop_rules=(),
        device="cpu",
        threads=1,
    )


@pytest.fixture
def worker(work: Work) -> Iterator[Callable[[dict[str, Any]], TrialWorker]]:
    made: list[TrialWorker] = []

    def open_on(given: dict[str, Any], own: Work = work) -> TrialWorker:
        if made:
            assert made[0].reset_config(given)
        else:
            made.append(object.__new__(TrialWorker))
            made[0].setup(given, work=own)
        return made[0]

    yield open_on
    for one in made:
        one.cleanup()


def test_objective_is_the_mean_of_replicates_in_lockstep(
    give: Give, worker: Callable[..., TrialWorker], work: Work
) -> None:
    one = worker(give())
    first, second = one.step(), one.step()
    assert (first["epoch"], first["done"], first["status"]) == (1, False, "running")
    assert (second["epoch"], second["done"], second["status"]) == (2, True, "done")
    trials = Run.open(work.run).table("units")
    assert sorted(trials["seed"]) == [0, 1]
    assert set(trials["status"]) == {"done"}
    assert second["objective"] == pytest.approx(trials["objective_value"].mean())


def test_infeasible_configuration_fails_and_the_next_one_runs(
    give: Give, worker: Callable[..., TrialWorker], work: Work
) -> None:
    report = worker(give(support__size=900)).step()
    assert report["done"]
    assert report["status"] == "failed"
    assert "support.size 900" in report["reason"]
    trials = Run.open(work.run).table("units")
    assert set(trials["status"]) == {"failed"}
    assert len(trials) == 2
    assert trials["reason"].str.contains("training pairs, but an episode needs support.size 900").all()
    assert json.loads(trials["changes_json"][0]) == {"support.size": 900}
    assert not (work.run / "errors").exists(), "a sentence needs no traceback"
    healthy = worker(give()).step()
    assert healthy["status"] == "running"
    assert np.isfinite(healthy["objective"])


def test_error_at_run_time_keeps_epochs_and_leaves_a_traceback(
    give: Give,
    worker: Callable[..., TrialWorker],
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = worker(give())
    one.step()

    def broken(self: Trainer, *args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("no episodes")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", broken)
        report = one.step()
    assert report["done"]
    assert report["status"] == "failed"
    assert report["reason"] == "ZeroDivisionError: no episodes"
    assert report["epoch"] == 1
    assert "in broken" in (work.run / "errors" / f"{'-'.join(one.trial)}.txt").read_text()
    assert Run.open(work.run).table("epochs")["epoch"].tolist() == [1, 1]


def test_a_used_worker_gives_what_a_fresh_one_gives(
    give: Give, worker: Callable[..., TrialWorker], work: Work
) -> None:
    """Whatever the configuration before did to the process."""
    fresh = worker(give())
    alone = fresh.step()["objective"]
    losses = Run.open(work.run).table("epochs")["loss"].tolist()
    worker(give(energy__form="interaction")).step()
    torch.set_default_dtype(torch.float64)
    np.random.seed(99)  # noqa: NPY002 the state that a careless configuration would leave behind
    for file in (work.run / "checkpoints").glob(f"{give()['configuration']}-*/*"):
        file.unlink()
    again = worker(give())
    assert again.step()["objective"] == alone
    epochs: pd.DataFrame = Run.open(work.run).table("epochs")
    assert epochs.loc[epochs["config"] == give()["configuration"], "loss"].tolist() == losses


def _units(given: dict[str, Any], *seeds: int) -> list[str]:
    return [f"{given['configuration']}-{given['fold']}-{seed}" for seed in seeds]


def test_pruned_configuration_ends_even_in_a_replaced_worker(
    give: Give, worker: Callable[..., TrialWorker], work: Work
) -> None:
    given = give()
    worker(given).step()
    work.prune(given["configuration"], "pruned after epoch 1: not among the best 1/2", _units(given, 0, 1))
    report = worker(given).step()
    assert (report["status"], report["done"], report["epoch"]) == ("pruned", True, 1)
    assert report["reason"].startswith("pruned after epoch 1")
    cells = Run.open(work.run).table("cells")
    assert "best_on_validation" in set(cells["selection"])


def test_verdict_of_another_sweep_does_not_count(
    give: Give, worker: Callable[..., TrialWorker], work: Work
) -> None:
    given = give()
    config = given["configuration"]
    for stale, units in (
        (work, _units(given, 0)),
        (replace(work, scheduler='{"kind": "none"}'), _units(given, 0, 1)),
        (replace(work, objective="val_unseen/macro/nll"), _units(given, 0, 1)),
    ):
        stale.prune(config, "pruned after epoch 1", units)
        assert work.verdict(config, _units(given, 0, 1)) is None
    assert worker(given).step()["status"] == "running"
    Verdict.file(work.run, config).write_text("pruned after epoch 1: the form of an older program")
    assert worker(given).step()["status"] == "done"


def test_a_replicate_that_diverges_ends_alone_and_is_counted(
    give: Give,
    worker: Callable[..., TrialWorker],
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = worker(give(optimiser__epochs=3))
    one.step()
    assert one.unit_runs is not None
    first, second = one.unit_runs
    healthy = Trainer.step

    def step(self: Trainer, *args: Any, **kwargs: Any) -> Any:
        if self is first.trainer:
            raise Diverged("step 4: the term task is nan")
        return healthy(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", step)
        report = one.step()
    assert (report["status"], report["done"]) == ("running", False)
    assert (report["diverged"], report["units"]) == (1, 2)
    assert report["reason"] == "1 of 2 units diverged: epoch 2: step 4: the term task is nan"
    assert report["objective"] == second.row["objective_value"], "its best epoch before does not count"
    assert all(math.isfinite(value) for value in dict(report["metrics"]).values())
    last = one.step()
    assert (last["status"], last["done"], last["epoch"]) == ("diverged", True, 3)
    assert list(last["statuses"].values()) == ["diverged", "done"]
    assert last["ended"] == [first.unit, second.unit]
    assert report["ended"] == [first.unit]
    assert last["reason"].startswith("1 of 2 units diverged")


def test_resumed_configuration_is_judged_by_all_replicates(
    give: Give, worker: Callable[..., TrialWorker]
) -> None:
    given = give()
    alone = worker({**given, "seeds": [1]}).step()["objective"]
    first, diverged = _units(given, 0, 2)
    finished = {first: ("done", 0.9), diverged: ("diverged", 0.1)}
    one = worker({**given, "seeds": [1], "finished": finished})
    report = one.step()
    assert report["statuses"] == {first: "done", diverged: "diverged", _units(given, 1)[0]: "done"}
    assert one.unit_runs is not None
    now = one.unit_runs[0].row["objective_value"]
    assert now >= alone
    assert report["objective"] == pytest.approx((0.9 + now) / 2)
    assert report["status"] == "diverged"
    assert report["reason"].startswith("1 of 3 units diverged")


def test_one_unit_audits_for_all(give: Give, worker: Callable[..., TrialWorker]) -> None:
    trainable = worker(give(audit="strict"))
    for _ in range(2):
        report = trainable.step()
    assert report["done"]
    assert set(report["statuses"].values()) == {"done"}
    audit = Run.open(trainable.work.run).table("audit")
    beside = audit["id"] == "-"
    assert set(audit["seed"][~beside]) == {0}
    assert set(audit["seed"][beside]) == {0, 1}, "contracts and real steps of every unit"
    assert set(audit["moment"]) == {"first", "last"}


def test_dead_mechanism_stops_every_unit_before_a_step(
    give: Give, worker: Callable[..., TrialWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(self: PairwiseRanking, step: Step, state: State) -> tuple[torch.Tensor, State]:
        return 0.0 * step.logit.sum(), state

    monkeypatch.setattr(PairwiseRanking, "forward", deaf)
    trainable = worker(give(audit="strict", loss__ranking__weight=0.5))
    report = trainable.step()
    assert report["done"]
    assert set(report["statuses"].values()) == {"stopped"}
    assert "ranking" in report["reason"]
    assert "inert" in report["reason"]
    trials = Run.open(trainable.work.run).table("units")
    assert trials["seed"].tolist() == [0, 1]
    assert (trials["epochs"] == 0).all()
    assert len(set(trials["reason"])) == 1


def test_broken_contract_stops_every_unit_with_its_rows(
    give: Give, worker: Callable[..., TrialWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches(mixed, since=3)(monkeypatch)  # the twins draw the batches of the first two epochs
    trainable = worker(give(audit="strict", optimiser__epochs=3))
    for done in (False, False, True):
        report = trainable.step()
        assert report["done"] is done
    assert set(report["statuses"].values()) == {"stopped"}
    assert math.isnan(report["objective"]), "nothing for a search to learn from"
    run = Run.open(trainable.work.run)
    reasons = set(run.table("units")["reason"])
    assert len(reasons) == 1
    assert "at step 1 of epoch 3, an episode mixes cell lines" in reasons.pop()
    tested = run.table("cells").query("split == 'test' and selection == 'best_on_validation'")
    assert set(tested["seed"]) == {0, 1}, "what was trained is evaluated"
    assert set(run.table("audit").query("verdict == 'broken'")["seed"]) == {0}


def test_worker_stamps_its_units_and_refuses_other_code(
    give: Give, worker: Callable[..., TrialWorker], work: Work
) -> None:
    stamp = Stamp(data="d" * 64, objective=work.objective)
    Code.today().save(work.run)
    one = worker(give(), replace(work, stamp=stamp))
    assert one.step()["status"] == "running"
    trials = Run.open(work.run).table("units")
    assert {name: set(trials[name]) for name in stamp.row()} == {k: {v} for k, v in stamp.row().items()}
    before = Code("b" * 16, {**Code.today().modules, "models.losses.task": "as the driver read it"})
    before.save(work.run)
    one.work = replace(work, stamp=replace(stamp, code=before.hash))
    report = worker(give(energy__form="interaction")).step()
    assert report["status"] == "failed"
    assert report["epoch"] == 0
    assert report["reason"] == (
        "a worker found other code (models.losses.task changed), and would not run what the sweep was started with; "
        "start the sweep again"
    )


def test_one_replicate_that_meets_an_error_fails_alone(
    give: Give,
    worker: Callable[..., TrialWorker],
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = worker(give())
    one.step()
    assert one.unit_runs is not None
    first, _ = one.unit_runs

    def broken(self: UnitRun) -> None:
        if self is first:
            raise ZeroDivisionError("no pairs")

    monkeypatch.setattr(UnitRun, "_final_evaluation", broken)
    report = one.step()
    assert (report["done"], report["status"]) == (True, "failed")
    assert list(report["statuses"].values()) == ["failed", "done"]
    assert report["reason"] == "ZeroDivisionError: no pairs"
    trials = Run.open(work.run).table("units").set_index("seed")
    assert trials["status"].to_dict() == {0: "failed", 1: "done"}
    assert trials["epochs"].tolist() == [2, 2]


def test_full_disk_pauses_the_configuration_until_a_new_start(
    give: Give,
    worker: Callable[..., TrialWorker],
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = worker(give())
    one.step()

    def full(handle: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(log_writer, "write", full)
        report = one.step()
    assert report["done"]
    assert report["status"] == "running"
    assert "no space left" in report["paused"]
    assert set(Run.open(work.run).table("units")["status"]) == {"running"}
    again = worker(give()).step()
    assert (again["status"], again["epoch"], again["paused"]) == ("done", 2, "")


def test_a_damaged_checkpoint_is_named_and_the_sibling_goes_on(
    give: Give, worker: Callable[..., TrialWorker], work: Work
) -> None:
    one = worker(give())
    one.step()
    assert one.unit_runs is not None
    hurt, healthy = (unit_run.unit for unit_run in one.unit_runs)
    file = work.run / "checkpoints" / hurt / "last.pt"
    file.write_bytes(file.read_bytes()[:1000])
    report = worker(give()).step()
    assert f"checkpoints/{hurt}/last.pt cannot be read" in report["notes"][0]
    assert report["status"] == "running"
    assert list(report["statuses"]) == [hurt, healthy]
    assert Run.open(work.run).table("units").set_index("seed")["epochs"].to_dict() == {0: 1, 1: 1}
    assert worker(give()).step()["status"] == "done"
