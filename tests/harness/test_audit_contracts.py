"""Contracts of sampler and predictor: each broken once is said at that batch or scoring, and an intact unit keeps all."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from analysis.store import Run
from harness.data.dataset import EncodedDataset
from harness.data.folds import split
from harness.trial.episodes.drawn import drawn
from harness.trial.episodes.sampler import CellBatch, EpisodeBatch, RandomBatch
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.step.draws import TrainingDraws
from harness.trial.step.measure import Measure
from harness.trial.unit_run import UnitRun
from models.episode import Support
from tests.harness.conftest import MakeUnit
from tests.harness.test_unit_run import run, table
from tests.narrow import present

Patch = Callable[[pytest.MonkeyPatch], None]
STRICT: dict[str, Any] = {"audit": "strict", "optimiser.epochs": 2, "optimiser.steps_per_epoch": 2}


MORE_THAN_A_SPLIT = 1000
"""Pairs among which only the audit asks for support sets."""


def batches(change: Callable[[CellBatch, EpisodeBatch], EpisodeBatch], since: int = 1) -> Patch:
    """A loop that is given changed batches from an epoch on."""

    def changed(self: CellBatch, number: int) -> Iterator[EpisodeBatch]:
        for batch in self.epoch(number):
            yield batch if number < since else change(self, batch)

    return epochs(changed)


def epochs(change: Callable[[CellBatch, int], Iterator[EpisodeBatch]]) -> Patch:
    return lambda patch: patch.setattr("harness.trial.unit_run.drawn", change)


def positions(change: Callable[[np.ndarray, int], np.ndarray]) -> Patch:
    """A predictor whose support sets of splits are changed, given their positions [D, S] and those of the split's pairs."""
    chosen = Predictor.support_positions

    def changed(self: Predictor, split: str, cell: int, places: np.ndarray, draws: int) -> np.ndarray:
        drawn = chosen(self, split, cell, places, draws)
        return drawn if len(places) > MORE_THAN_A_SPLIT else change(drawn, int(places[0]))

    return lambda patch: patch.setattr(Predictor, "support_positions", changed)


def scores(change: Callable[[SplitScores], SplitScores], split: str = "val_unseen") -> Patch:
    """A predictor whose scores of one split are changed afterwards."""
    predict = Predictor.predict

    def changed(self: Predictor, *inputs: Any, **named: Any) -> SplitScores:
        scored = predict(self, *inputs, **named)
        return change(scored) if scored.split == split else scored

    return lambda patch: patch.setattr(Predictor, "predict", changed)


def mixed(sampler: CellBatch, batch: EpisodeBatch) -> EpisodeBatch:
    """Half of every support set is another episode's."""
    half = batch.support.shape[1] // 2
    return batch._replace(support=np.concatenate([batch.support[:, :half], batch.support[::-1, half:]], 1))


def shown(patch: pytest.MonkeyPatch) -> None:
    support = Predictor.support

    def labelled(self: Predictor, *inputs: Any) -> Support:
        made = support(self, *inputs)
        return replace(made, labelled=torch.ones_like(made.labelled))

    patch.setattr(Predictor, "support", labelled)


def other_features(patch: pytest.MonkeyPatch) -> None:
    support = Predictor.support

    def rolled(self: Predictor, *inputs: Any) -> Support:
        made = support(self, *inputs)
        return replace(made, z_i=made.z_i.roll(1, dims=1))

    patch.setattr(Predictor, "support", rolled)


def flipped(patch: pytest.MonkeyPatch) -> None:
    labels = Measure.labels
    patch.setattr(Measure, "labels", lambda self, pairs: 1.0 - labels(self, pairs))


def other_sequences(patch: pytest.MonkeyPatch) -> None:
    bases = EncodedDataset.enhancer_bases
    patch.setattr(EncodedDataset, "enhancer_bases", lambda self, pairs: bases(self, np.roll(pairs, 1)))


def other_split(patch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("harness.trial.unit_run")

    def moved(*inputs: Any) -> Any:
        splits = split(*inputs)
        return replace(splits, val_unseen=np.sort(np.concatenate([splits.val_unseen, splits.test])))

    patch.setattr(module, "split", moved)


def other_names(self: CellBatch, batch: EpisodeBatch) -> EpisodeBatch:
    return batch._replace(query_cell=np.roll(batch.query_cell, 1, axis=0), cell=np.roll(batch.cell, 1))


def without_last(scored: SplitScores) -> SplitScores:
    return replace(
        scored,
        pairs=np.concatenate([scored.pairs[:-1], scored.pairs[:1]]),
        label=np.concatenate([scored.label[:-1], scored.label[:1]]),
    )


def other_lines_v(patch: pytest.MonkeyPatch) -> None:
    support = Predictor.support

    def rolled(
        self: Predictor, encoded: Any, chosen: Tensor, cell: Tensor, v: Tensor | None = None
    ) -> Support:
        assert self.v is not None
        return support(self, encoded, chosen, cell, self.v[:1].expand(len(chosen), -1))

    patch.setattr(Predictor, "support", rolled)


first_of = CellBatch.epoch
BROKEN: dict[str, tuple[Patch, str]] = {
    "support of prediction is smaller": (
        positions(lambda chosen, _: chosen[:, :-3]),
        "prediction is broken \\(contract\\): at a scoring after epoch 1, 1 support sets of 5 pairs",
    ),
    "mixture from the second epoch on": (
        batches(mixed, since=2),
        "sampler is broken \\(contract\\): at step 1 of epoch 2, an episode mixes cell lines",
    ),
    "a pair is scored twice and another one not": (
        scores(without_last),
        "1 of .* pairs of split .* were not scored, and 1 were scored again",
    ),
    "scores with a foreign support set": (
        positions(lambda chosen, first: chosen * 0 if first else chosen),
        "support pairs of cell line",
    ),
    "labels leak into the support set": (shown, "prediction is broken \\(contract\\): .*carries labels"),
    "features of other pairs": (other_features, "has features of other pairs than its U_I"),
    "U_I that the sequence side did not give": (
        scores(lambda scored: replace(scored, u=scored.u + 1.0, r=scored.r)),
        "prediction is broken \\(contract\\): at a scoring after epoch 1, ",
    ),
    "labels of another order": (
        scores(lambda scored: replace(scored, label=scored.label[::-1].copy())),
        "labels of split val_unseen are not the data's",
    ),
    "logits of another order": (
        scores(lambda scored: replace(scored, logits=scored.logits[:, ::-1].copy())),
        "the energy gave other logits",
    ),
    "every draw is the first": (
        positions(lambda chosen, _: np.repeat(chosen[:1], len(chosen), 0)),
        "the support draws of cell line .*: 3 of 3 are one and the same",
    ),
    "support and query overlap": (
        batches(lambda _, batch: batch._replace(support=batch.query[:, : batch.support.shape[1]])),
        "at step 1 of epoch 1, 32 pairs are in support and query alike",
    ),
    "smaller queries": (
        batches(lambda _, batch: batch._replace(query=batch.query[:, 1:], query_cell=batch.query_cell[:, 1:])),
        "4 episodes of 8 and 16 are configured",
    ),
    "other names of the cell lines": (batches(other_names), "goes by another cell line"),
    "every epoch is the first": (
        epochs(lambda self, number: first_of(self, 1)),
        "sampler is broken \\(contract\\): at step 1 of epoch 2, a run through cell line .* begins with the query pairs",
    ),
    "one batch again and again": (
        epochs(lambda self, number: iter([next(first_of(self, number))] * 2)),
        "at step 2 of epoch 1, the batch is that of the step before",
    ),
    "a step too few": (
        lambda patch: patch.setattr(
            "harness.trial.unit_run.drawn", lambda sampler, epoch: iter(list(drawn(sampler, epoch))[:-1])
        ),
        "in epoch 1, there were 1 steps; 2 are configured",
    ),
    "labels of the step": (flipped, "at step 1 of epoch 1, the loss read other labels"),
    "sequences of other pairs": (other_sequences, "other sequences than those of the support pairs"),
    "labels in training that are not configured": (
        lambda patch: patch.setattr(TrainingDraws, "shown", lambda self, label, index: torch.ones_like(label)),
        "labels of support pairs are shown",
    ),
    "splits that are not the fold's": (other_split, "split val_unseen has other pairs than the fold's"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_contract_stops_a_strict_unit(
    name: str, make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, sentence = BROKEN[name]
    patch(monkeypatch)
    unit_run = run(make_unit(STRICT, twins=False))
    assert unit_run.status == "stopped"
    reason = unit_run.row["reason"]
    assert pd.Series([reason]).str.contains(sentence).all(), reason
    stored = Run.open(tmp_path / "run")
    rows = stored.table("audit")
    broken = rows[rows.verdict == "broken"]
    assert set(broken.id) == {"-"}
    assert set(broken.check) <= {"contract", "energy", "real step"}, (
        "scores that are not the pairs' are wrong energies as well, and labels that are not make another step"
    )
    broken = broken[broken.check == "contract"]
    assert reason.endswith(broken.reason.iloc[0]) or broken.reason.iloc[0] in reason
    assert len(stored.table("epochs")) == unit_run.epoch
    assert stored.table("units").objective_value.isna().all()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"episode.sampler": "random"},
        {"episode.sampler": "meta_batch"},
        {"environment.source": "none"},
        {"temperature.mode": "calibrated", "curriculum.phase1_epochs": 1},
        {"support.labels": True, "routing": "shared"},
        {"episode.pseudo_unseen": 0.3, "environment.teacher.kind": "gradient"},
        {"support.size": 30, "episode.query": 10},
        {"environment.source": "features"},
    ],
    ids=str,
)
def test_an_intact_unit_is_never_accused(changes: dict[str, Any], make_unit: MakeUnit) -> None:
    unit_run = run(make_unit({**STRICT, **changes}, twins=False))
    assert unit_run.status == "done", unit_run.row["reason"]
    said = {row["mechanism"]: row for row in unit_run.audited}
    assert {row["verdict"] for row in unit_run.audited} == {"active"}
    assert (said["sampler"]["contracts"], said["prediction"]["contracts"]) == (4.0, 4.0)
    mixes = changes.get("episode.sampler") is not None
    assert said["sampler"]["reason"].startswith("documented mismatch") is mixes


def test_results_are_bit_equal_with_and_without_contracts(make_unit: MakeUnit, tmp_path: Path) -> None:
    units = {
        mode: run(make_unit({**STRICT, "audit": mode}, run=mode, twins=False)) for mode in ("off", "strict")
    }
    weights: list[dict[str, Tensor]] = [u.trainer.model.state_dict() for u in units.values()]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    for name in ("cells", "predictions", "embeddings", "terms"):
        off, strict = (table(tmp_path, name, mode).drop(columns="config") for mode in units)
        pd.testing.assert_frame_equal(off, strict, check_exact=True)


@pytest.mark.parametrize("place", ["prediction", "training"])
def test_features_of_another_cell_line_stop_a_unit(
    place: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_run = make_unit({**STRICT, "environment.source": "features"}, twins=False)
    if place == "prediction":
        other_lines_v(monkeypatch)
    else:
        unit_run.trainer.measuring.v = present(unit_run.trainer.measuring.v).roll(1, 0)
    assert "features of another cell line arrived" in run(unit_run).row["reason"]


def test_warn_records_a_broken_contract_once_and_goes_on(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    BROKEN["support of prediction is smaller"][0](monkeypatch)
    for epoch in (1, None):
        unit_run = run(make_unit({**STRICT, "audit": "warn"}, twins=False), epoch)
    assert unit_run.status == "done"
    rows = table(tmp_path, "audit").query("mechanism != 'optimiser'")
    assert rows.verdict.tolist() == ["broken", "active"], (
        "the second epoch, after a resume, says nothing twice"
    )
    assert rows.moment.tolist() == ["run", "last"]
    assert rows.contracts.tolist()[1] == 4.0, "batches of both epochs"


def test_a_resumed_unit_knows_the_epochs_before(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    run(make_unit(STRICT, twins=False), 1)
    BROKEN["every epoch is the first"][0](monkeypatch)
    unit_run = run(make_unit(STRICT, twins=False))
    assert "begins with the query pairs that an earlier one began with" in unit_run.row["reason"]


def test_mixed_batches_of_an_earlier_epoch_are_said(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first(sampler: CellBatch, _: int) -> Iterator[EpisodeBatch]:
        assert isinstance(sampler, RandomBatch)
        return RandomBatch.epoch(sampler, 1)

    epochs(first)(monkeypatch)
    unit_run = run(make_unit({**STRICT, "episode.sampler": "random"}, twins=False))
    assert "in epoch 2, the batches are those of epoch 1" in unit_run.row["reason"]


def test_a_stop_amid_an_epoch_evaluates_the_last_whole_one(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(make_unit({**STRICT, "optimiser.epochs": 1}, run="whole", twins=False))
    BROKEN["mixture from the second epoch on"][0](monkeypatch)
    halted = run(make_unit(STRICT, run="halted", twins=False))
    assert (whole.status, halted.status, halted.epoch) == ("done", "stopped", 1)
    one, other = (table(tmp_path, "cells", name).drop(columns="config") for name in ("whole", "halted"))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_stop_at_a_scoring_survives_a_kill(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        BROKEN["support of prediction is smaller"][0](patch)
        patch.setattr(UnitRun, "close", lambda *_: None)
        make_unit(STRICT, twins=False).advance()
    resumed = make_unit(STRICT, twins=False)
    assert (resumed.status, resumed.epoch) == ("running", 1)
    resumed.advance()
    assert resumed.stopped_by_audit
    assert "at a scoring after epoch 1" in resumed.row["reason"]
