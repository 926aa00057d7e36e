"""Decoupling in a trial: what is refused, streams that stay orthogonal, and the dependence that every epoch records."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.step.dependence import dependence
from models.episode import Step
from tests.harness.conftest import MakeUnit
from tests.models.steps import make_step
from tests.narrow import present

BOTH = ("orthogonal", "pearson", "infonce", "club", "hsic")
SEQUENCE = ("grl", "conditional_grl", "irm")


@pytest.mark.parametrize("key", [*BOTH, *SEQUENCE])
def test_a_step_needs_four_cell_lines_to_compare(key: str) -> None:
    with pytest.raises(ValidationError, match=f"decouple.{key} needs episodes of at least 4 cell lines"):
        ConfigurationBlock.model_validate({"decouple": {key: 0.1}, "episode": {"per_step": 3}})


def test_bottleneck_prices_single_pairs_without_cell_lines() -> None:
    ConfigurationBlock.model_validate({"decouple": {"vib": 0.1}, "episode": {"per_step": 1}})


@pytest.mark.parametrize("key", BOTH)
def test_what_reads_z_e_needs_an_environment(key: str) -> None:
    with pytest.raises(ValidationError, match=f"no R_E and no z_E, which .*decouple.{key} needs"):
        ConfigurationBlock.model_validate({"decouple": {key: 0.1}, "environment": {"source": "none"}})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"decouple": {"dual_stream": True, "orthogonal": 0.1}},
            "decouple.orthogonal has nothing to do beside decouple.dual_stream",
        ),
        (
            {"decouple": {"dual_stream": True}, "environment": {"source": "none"}},
            "no R_E and no z_E, which decouple.dual_stream needs",
        ),
        (
            {"decouple": {"dual_stream": True}, "environment": {"source": "support", "width": 64}},
            "needs environment.width below the 32 dimensions of z_I",
        ),
        (
            {"decouple": {"dual_stream": True}, "model": {"bottleneck": 8}},
            "needs environment.width below the 8 dimensions of z_I",
        ),
        ({"model": {"bottleneck": 32}}, "model.bottleneck 32 narrows nothing"),
    ],
)
def test_what_could_not_act_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ConfigurationBlock.model_validate(settings).resolved()


def test_streams_stay_orthogonal_through_500_steps_of_a_trial(make_unit: MakeUnit) -> None:
    changes = {
        "decouple.dual_stream": True,
        "decouple.pearson": 1.0,
        "decouple.reach": "both",
        "support.size": 2,
        "episode.query": 2,
        "model.self_attention_layers": 0,
        "optimiser.lr": 0.01,
        "optimiser.steps_per_epoch": 500,
    }
    unit_run = make_unit(changes)
    trainer = unit_run.trainer
    dual = present(trainer.model.sequence.dual)
    first = dual.rotation().detach().clone()
    cosines = []
    for index, batch in enumerate(unit_run.sampler.epoch(1)):
        trainer.step(batch, progress=0.0, probe=False)
        if index % 50 == 49:
            step = trainer.measure(batch, warm=False).step
            z_i, z_e = (
                torch.nn.functional.normalize(side.detach().double(), dim=-1)
                for side in (step.z_i.flatten(0, 1), step.z_e)
            )
            cosines.append(float((z_i @ z_e.T).abs().max()))
    assert trainer.index == 500
    assert len(cosines) == 10
    assert max(cosines) < 1e-5
    assert float((dual.rotation().detach() - first).abs().max()) > 0.01


def test_environment_stream_is_equal_in_training_and_prediction(
    make_unit: MakeUnit,
) -> None:
    from harness.trial.episodes.batches import encode_pairs

    trainer = make_unit({"decouple.dual_stream": True, "decouple.vib": 0.1}).trainer
    batch = next(iter(make_unit(run="other").sampler.epoch(1)))
    with torch.no_grad():
        trained = trainer.measure(batch, warm=False).step.z_e
        encoded = encode_pairs(trainer.model, trainer.dataset, batch.support.reshape(-1), trainer.device, 7)
        chosen = torch.arange(batch.support.size).view(batch.support.shape)
        unit_run = make_unit(run="third")
        support = unit_run.predictor.support(encoded, chosen, torch.from_numpy(batch.cell))
        predicted = trainer.model.placed(trainer.model.environment_of(support).z_e)
    torch.testing.assert_close(trained, predicted)


def test_every_epoch_records_the_dependence_of_z_i_and_z_e(make_unit: MakeUnit) -> None:
    unit_run = make_unit({"curriculum.phase1_epochs": 1, "decouple.hsic": 0.1})
    unit_run.advance()
    unit_run.advance()
    first, second = unit_run.rows("epochs")
    assert "dependence" not in first, "phase 1 has no environment"
    assert 0 <= second["dependence"] <= 1
    assert 0 < second["dependence_p"] <= 1


def test_recorded_dependence_tells_copies_from_independence() -> None:
    step = make_step(episodes=6, queries=16)
    copy = Step(**{**vars(step), "z_i": step.z_i * 0.1 + step.z_e.repeat(1, 2)[:, None, :5]})
    apart, together = dependence(step, ()), dependence(copy, ())
    assert together["dependence_p"] == 0.01
    assert together["dependence"] > 0.5
    assert apart["dependence_p"] > 0.05
    broken = Step(**{**vars(step), "z_i": step.z_i * math.nan})
    assert all(math.isnan(value) for value in dependence(broken, ()).values())
