"""Phase 1 that is taken from another unit: bit-equal to one that is trained, and taken where it is the same one only."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.reads import Reads, answers
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.store.storage import writing
from harness.store.writer import RunWriter
from harness.trial.episodes.sampler import build_sampler
from harness.trial.prefix import FOLDER, phase1_questions, pools_of
from harness.trial.step.balance import GradNorm
from harness.trial.step.holdings import digests, hold, holdings
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import TINY

RICH: dict[str, Any] = {
    "model.encoder": "cbat",
    "model.dropout": 0.35,
    "energy.form": "gated",
    "temperature.mode": "learned",
    "temperature.penalty": 0.1,
    "environment.teacher.kind": "ema",
    "loss.contrastive.weight": 0.5,
    "loss.contrastive.bank": 16,
    "loss.distillation.weight": 0.2,
    "loss.ranking.weight": 0.5,
    "loss.calibration.weight": 0.1,
    "decouple.vib": 0.05,
    "decouple.pearson": 0.1,
    "balance.kind": "grad_norm",
    "curriculum.phase1_epochs": 2,
    "optimiser.epochs": 3,
    "audit": "strict",
}
OTHER: dict[str, Any] = {**RICH, "energy.form": "linear", "decouple.pearson": 0.0}
"""Another phase 2 after the same phase 1."""
RESTS: dict[str, Any] = {
    "energy.form": "linear",
    "temperature.mode": "per_cell",
    "environment.scope": "sample",
    "environment.width": 6,
    "environment.encoder": "isab",
    "environment.teacher.kind": "gradient",
    "support.labels": True,
    "support.draws": 2,
    "episode.pseudo_unseen": 0.25,
    "loss.contrastive.weight": 0.0,
    "loss.contrastive.bank": 8,
    "loss.prototypes.weight": 0.3,
    "decouple.pearson": 0.0,
    "decouple.grl": 0.3,
    "curriculum.ramp_epochs": 1.0,
    "optimiser.epochs": 5,
    "evaluation.batch": 64,
    "permuted": ["contrastive"],
    "audit": "off",
}
"""Key -> another value than RICH has, of keys that phase 1 does not read."""
READ: dict[str, Any] = {
    "model.dropout": 0.2,
    "model.width": 16,
    "support.size": 6,
    "episode.query": 12,
    "loss.ranking.weight": 0.4,
    "loss.calibration.mean": 0.5,
    "decouple.vib": 0.1,
    "balance.kind": "fixed",
    "balance.warmup": 5,
    "routing": "shared",
    "curriculum.phase1_epochs": 1,
    "optimiser.lr": 0.002,
    "optimiser.clip": 0.5,
    "optimiser.steps_per_epoch": 2,
    "streams": "other",
}
"""The same of keys that it reads."""
UnitOf = Callable[..., UnitRun]
CLOCKS = {"wall_s", "cpu_s", "started", "finished", "shared_epochs", "phase1_of"}


@pytest.fixture
def unit_of(tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path) -> UnitOf:
    def make(changes: dict[str, Any], run: str = "run", *, shares: bool = True, seed: int = 0) -> UnitRun:
        parts = (compose(TINY, changes).resolved(), tiny_dataset, tiny_fold, seed, RunWriter(tmp_path / run))
        return UnitRun(*parts, inspector=AuditInspector, twins=False, shares=shares)

    return make


def trained(unit: UnitRun, epochs: int | None = None) -> UnitRun:
    while not unit.finished and (epochs is None or unit.epoch < epochs):
        unit.advance()
    return unit


def tables(run: Path, unit: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every table of a unit, without clocks and without what says that it shared."""
    for file in sorted(run.glob(f"*/{unit}.parquet")):
        frame = pq.read_table(file).to_pandas()
        timed = [name for name in frame if name in CLOCKS or name.startswith("cost")]
        yield file.parent.name, frame.drop(columns=timed)


def test_a_shared_phase_1_gives_every_bit_of_a_trained_one(unit_of: UnitOf, tmp_path: Path) -> None:
    """With dropout, learned T, grad_norm, a memory bank and contrastive, killed between two shared epochs."""
    donor = trained(unit_of(OTHER), epochs=2)
    trained(unit_of(RICH), epochs=1)
    fork, alone = trained(unit_of(RICH)), trained(unit_of(RICH, "alone", shares=False))
    assert [unit.row["shared_epochs"] for unit in (donor, fork, alone)] == [0, 2, 0]
    assert [unit.row["phase1_of"] for unit in (donor, fork, alone)] == [None, donor.unit, None]
    assert fork.status == "done", fork.row["reason"]
    assert fork.record.notes == []
    torch.testing.assert_close(fork.trainer.state_dict(), alone.trainer.state_dict(), rtol=0, atol=0)
    one, other = dict(tables(tmp_path / "run", fork.unit)), dict(tables(tmp_path / "alone", alone.unit))
    assert {"predictions", "mechanisms", "audit", "ledger", "terms", "cells"} <= one.keys() == other.keys()
    for name, frame in one.items():
        pd.testing.assert_frame_equal(frame, other[name], check_exact=True, obj=name)


def test_another_first_step_is_noticed_and_trained_alone(
    unit_of: UnitOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that lies: the learning rate is read, and the record does not say so."""
    small = {"audit": "off", "curriculum.phase1_epochs": 1, "optimiser.epochs": 2}
    monkeypatch.setattr(
        "harness.trial.prefix.answers",
        lambda config, asked: {**answers(config, asked), "optimiser.lr": None},
    )
    donor = trained(unit_of(small), epochs=1)
    fork = trained(unit_of({**small, "optimiser.lr": 0.002}), epochs=1)
    assert fork.prefix.folder == donor.prefix.folder
    assert fork.row["shared_epochs"] == 0
    (note,) = fork.record.notes
    assert note.startswith(
        f"unit {fork.unit} shares no more of phase 1: phase 1 of {donor.unit} is another one ("
    )


def test_a_key_that_is_read_late_is_noticed_and_nothing_is_left(
    unit_of: UnitOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit, step = unit_of({"audit": "off", "curriculum.phase1_epochs": 1}), Trainer.step

    def late(self: Trainer, *args: Any, **kwargs: Any) -> Any:
        assert unit.settings.environment.source
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "step", late)
    unit.advance()
    assert unit.record.notes == [
        f"unit {unit.unit} shares no more of phase 1: phase 1 read environment.source when it had begun"
    ]
    assert not unit.prefix.folder.exists()


def test_a_damaged_prefix_is_trained_again_and_left_again(unit_of: UnitOf, tmp_path: Path) -> None:
    small = {"audit": "off", "curriculum.phase1_epochs": 1, "optimiser.epochs": 2}
    trained(unit_of(small), epochs=1)
    (file,) = (tmp_path / "run" / FOLDER).rglob("*.pt")
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    for energy, shared in (("gated", 0), ("interaction", 1)):
        fork = trained(unit_of({**small, "energy.form": energy}), epochs=1)
        assert fork.row["shared_epochs"] == shared
        assert len(fork.record.notes) == 1 - shared


@pytest.mark.parametrize("what", ["pipe", "link to a device", "folder"])
def test_what_is_no_file_is_a_damaged_prefix(what: str, unit_of: UnitOf, tmp_path: Path) -> None:
    """A pipe and an endless device would be read for ever."""
    small = {"audit": "off", "curriculum.phase1_epochs": 1, "optimiser.epochs": 2}
    trained(unit_of(small), epochs=1)
    (file,) = (tmp_path / "run" / FOLDER).rglob("*.pt")
    file.unlink()
    match what:
        case "pipe":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case _:
            file.symlink_to("/dev/zero")
    fork = trained(unit_of({**small, "energy.form": "gated"}), epochs=1)
    assert fork.row["shared_epochs"] == 0
    (note,) = fork.record.notes
    assert note.endswith(
        f"/epoch-1.pt cannot be read (it is no regular file) and was put aside as {file.name}.damaged"
    )
    assert trained(unit_of({**small, "energy.form": "interaction"}), epochs=1).row["shared_epochs"] == 1


@pytest.mark.parametrize("when", ["before", "after a damaged one"])
def test_units_go_on_unshared_where_a_prefix_cannot_be_written(
    when: str, unit_of: UnitOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"audit": "off", "curriculum.phase1_epochs": 2, "optimiser.epochs": 3}
    why = "a file stands where a folder is needed; give another folder"
    if when == "before":
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / FOLDER).touch()
    else:
        trained(unit_of(small), epochs=2)
        for file in (tmp_path / "run" / FOLDER).rglob("*.pt"):
            file.write_bytes(b"")

        def refused(path: Path) -> Path:
            with writing(path):
                raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr("harness.trial.prefix.put_aside", refused)
        why = "this user may not write there; give another folder"
    units = [unit_of({**small, "energy.form": form}) for form in ("gated", "interaction")]
    notes = [note for unit in units for note in trained(unit).record.notes]
    assert [unit.status for unit in units] == ["done", "done"]
    assert [unit.row["shared_epochs"] for unit in units] == [0, 0]
    said = f"{FOLDER}/ cannot be written ({why}): units train phase 1 themselves and share it no more"
    assert notes == [said, said], "once of each, in the same words"


def config_of(changes: dict[str, Any]) -> ConfigurationBlock:
    return compose(TINY, {**RICH, **changes}).resolved()


@pytest.fixture(scope="module")
def questions(tiny_dataset: EncodedDataset, tiny_fold: Fold) -> frozenset[str]:
    train = split(tiny_dataset, tiny_fold).train
    return phase1_questions(config_of({}), tiny_dataset, np.unique(tiny_dataset.cell[train]), train)


def test_phase_1_reads_every_key_that_moves_it(questions: frozenset[str]) -> None:
    base = answers(config_of({}), questions)
    same = [key for key, value in READ.items() if answers(config_of({key: value}), questions) == base]
    assert same == []
    assert "optimiser.epochs" not in questions
    assert not [key for key in questions if key.startswith(("energy.", "temperature.", "environment."))]


@pytest.mark.parametrize(
    "whole", [lambda block: block.model_dump(), lambda block: vars(block.model_copy())], ids=["dump", "copy"]
)
def test_who_takes_a_block_whole_reads_every_key_of_it(
    whole: Callable[[Any], dict[str, Any]],
    tiny_dataset: EncodedDataset,
    tiny_fold: Fold,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a balance of somebody's own may do, whose warm-up the first step does not show."""

    def arguments(cls: type[GradNorm], block: Any, seed: int) -> dict[str, Any]:
        content = whole(block)
        return {name: content[name] for name in ("ratio", "momentum", "warmup")}

    monkeypatch.setattr(GradNorm, "arguments", classmethod(arguments))
    train = split(tiny_dataset, tiny_fold).train
    asked = phase1_questions(config_of({}), tiny_dataset, np.unique(tiny_dataset.cell[train]), train)
    assert {"balance.kind", "balance.ratio", "balance.momentum", "balance.warmup"} <= asked


class Begun(NamedTuple):
    """What a configuration answers of what phase 1 reads, and what two steps of phase 1 leave of every tensor that they
    change."""

    said: dict[str, Any]
    left: dict[tuple[str, ...], str]


@pytest.fixture(scope="module")
def begun(
    questions: frozenset[str], tiny_dataset: EncodedDataset, tiny_fold: Fold
) -> Callable[[dict[str, Any]], Begun]:
    """begun(CHANGES): two steps of phase 1 of RICH with these changes."""
    train = split(tiny_dataset, tiny_fold).train
    codes = np.unique(tiny_dataset.cell[train])
    names = [tiny_dataset.cell_lines[code] for code in codes]

    def steps(changes: dict[str, Any]) -> Begun:
        config = config_of(changes)
        reads = Reads(config)
        sampler = build_sampler(reads.first, pools_of(tiny_dataset, codes, train), names, 0)
        trainer = Trainer(reads.view, tiny_dataset, codes, 0, torch.device("cpu"), reads)
        before = digests(holdings(trainer))
        for position, batch in zip(range(2), sampler.epoch(1), strict=False):
            trainer.step(batch, progress=position / sampler.steps, probe=False)
        after = digests(holdings(trainer))
        left = {name: digest for name, digest in after.items() if before.get(name) != digest}
        return Begun(answers(config, questions), left)

    return steps


@pytest.fixture(scope="module")
def rich(begun: Callable[[dict[str, Any]], Begun]) -> Begun:
    return begun({})


@pytest.mark.parametrize("key", RESTS)
def test_a_key_that_phase_1_does_not_read_moves_nothing_of_it(
    key: str, begun: Callable[[dict[str, Any]], Begun], rich: Begun
) -> None:
    """Two steps of phase 1, every tensor of what they change."""
    assert begun({key: RESTS[key]}) == rich
    assert {name[0] for name in rich.left} == {"model", "states", "balance", "optimiser"}


def test_a_tensor_that_is_not_taken_over_ends_the_unit(
    unit_of: UnitOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"audit": "strict", "curriculum.phase1_epochs": 1, "optimiser.epochs": 2}
    trained(unit_of(small), epochs=1)

    def but_one(trainer: Trainer, held: dict[tuple[str, ...], torch.Tensor], index: int) -> None:
        lost = next(name for name in held if name[1].startswith("sequence."))
        hold(trainer, {name: value for name, value in held.items() if name != lost}, index)

    monkeypatch.setattr("harness.trial.prefix.hold", but_one)
    fork = trained(unit_of({**small, "energy.form": "gated"}))
    assert fork.status == "stopped"
    assert "phase 1 was taken over from another unit with another model.sequence." in fork.row["reason"]
