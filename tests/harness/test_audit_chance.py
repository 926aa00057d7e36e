"""What chance adds to a step: each way of drawing it wrongly is said, and intact units draw as they promise."""

import pandas as pd
import pytest
import torch
from torch import Tensor

from harness.trial.step.draws import TrainingDraws
from models.streams import Dropout, Noise, SeededNoise, generator, stream_seed
from tests.harness.conftest import MakeUnit
from tests.harness.test_unit_run import run

STRICT = {"audit": "strict", "optimiser.epochs": 2, "optimiser.steps_per_epoch": 2, "model.dropout": 0.3}
HIDES = {
    **STRICT, "episode.pseudo_unseen": 0.5, "environment.teacher.kind": "gradient", "optimiser.steps_per_epoch": 20,
}  # fmt: skip


class Still(SeededNoise):
    """Every module draws from one stream."""

    def mask(self, name: str, like: Tensor, keep: float) -> Tensor:
        return super().mask("", like, keep)


class Scarce(SeededNoise):
    def mask(self, name: str, like: Tensor, keep: float) -> Tensor:
        return super().mask(name, like, 1 - (1 - keep) / 3)


def same_step(self: TrainingDraws, index: int) -> Noise:
    return SeededNoise(stream_seed(self.seed, "dropout"), 0)


def same_epoch(self: TrainingDraws, index: int) -> Noise:
    return SeededNoise(stream_seed(self.seed, "dropout"), index % 2)


def one_stream(self: TrainingDraws, index: int) -> Noise:
    return Still(stream_seed(self.seed, "dropout"), index)


def too_few(self: TrainingDraws, index: int) -> Noise:
    return Scarce(stream_seed(self.seed, "dropout"), index)


def seldom(self: TrainingDraws, cell: Tensor, index: int) -> Tensor:
    return torch.rand(cell.shape, generator=generator(self.seed, "pseudo_unseen", index)) < 0.15


@pytest.mark.parametrize(
    ("noise", "sentence"),
    [
        (same_step, "at step 2 of epoch 1, .* and not those that its stream drops at this step"),
        (same_epoch, "at step 1 of epoch 2, .* and not those that its stream drops at this step"),
        (one_stream, "and not those that its stream drops at this step"),
        (too_few, "drops 0.1.* of its inputs, .* with model.dropout 0.3"),
        (lambda self, index: None, "drops 0 of its inputs"),
    ],
)
def test_noise_that_is_not_drawn_anew_stops_a_unit(
    noise: object, sentence: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingDraws, "noise", noise)
    unit_run = run(make_unit(STRICT, twins=False))
    assert unit_run.status == "stopped"
    assert pd.Series([unit_run.row["reason"]]).str.contains(f"chance is broken .*{sentence}").all(), (
        unit_run.row["reason"]
    )


@pytest.mark.parametrize("place", range(5))
def test_noise_that_lacks_at_one_place_is_said(
    place: int, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = TrainingDraws.noise
    monkeypatch.setattr(
        TrainingDraws, "noise", lambda self, index: None if index % 5 == place else true(self, index)
    )
    changes = {**STRICT, "optimiser.epochs": 5, "optimiser.steps_per_epoch": 5}
    assert "drops 0 of its inputs" in run(make_unit(changes, twins=False)).row["reason"]


def test_normal_numbers_are_drawn_anew(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {**STRICT, "model.dropout": 0.0, "decouple.vib": 0.001}
    assert run(make_unit(changes, twins=False, run="sound")).status == "done"
    monkeypatch.setattr(TrainingDraws, "noise", same_step)
    assert (
        "adds other numbers than the standard normal ones"
        in run(make_unit(changes, twins=False)).row["reason"]
    )


def test_chance_in_a_prediction_stops_a_unit(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Dropout.forward

    def always(self: Dropout, x: Tensor, noise: Noise | None) -> Tensor:
        return (
            plain(self, x, noise or SeededNoise(1, 1))
            if not torch.is_grad_enabled()
            else plain(self, x, noise)
        )

    monkeypatch.setattr(Dropout, "forward", always)
    assert "adds chance to " in run(make_unit(STRICT, twins=False)).row["reason"]


@pytest.mark.parametrize(
    ("hidden", "sentence"),
    [
        (seldom, "episodes hid their name; with episode.pseudo_unseen 0.5 the step's stream hides"),
        (
            lambda self, cell, index: torch.zeros_like(cell, dtype=torch.bool),
            "0 of 4 episodes hid their name",
        ),
        (lambda self, cell, index: torch.arange(len(cell)) % 2 == 0, "the step's stream hides"),
    ],
)
def test_names_that_are_hidden_wrongly_stop_a_unit(
    hidden: object, sentence: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingDraws, "hidden", hidden)
    assert sentence in run(make_unit(HIDES, twins=False)).row["reason"]


def test_names_that_are_hidden_as_promised_stop_no_unit(make_unit: MakeUnit) -> None:
    assert run(make_unit(HIDES, twins=False)).status == "done"
