"""A key that nothing would read is named, and every key named there exists."""

import pytest

from harness.config.blocks.acting import conditional, unread
from harness.config.blocks.paths import leaves
from harness.config.blocks.trial import ConfigurationBlock


def test_every_condition_is_about_a_key_of_the_configuration() -> None:
    marks = conditional()
    assert len(marks) > 40
    named = {path for each in marks.values() for mark in each for path in mark.paths}
    assert named <= set(leaves())


@pytest.mark.parametrize(
    ("settings", "path", "needs"),
    [
        ({}, "environment.rank", "environment.scope: sample"),
        ({}, "environment.inducing", "environment.encoder: isab"),
        ({"model": {"encoder": "cnn"}}, "model.anchors", "model.encoder: cbat"),
        ({"loss": {"contrastive": {"weight": 0.0}}}, "loss.contrastive.tau", "loss.contrastive.weight > 0"),
        ({}, "decouple.reach", "decouple.orthogonal > 0 or decouple.pearson > 0"),
        ({"loss": {"prototypes": {"weight": 1.0, "kind": "pull"}}}, "loss.prototypes.radius", "kind: hinged"),
    ],
)
def test_a_key_without_effect_says_what_it_needs(settings: dict, path: str, needs: str) -> None:
    found = unread(ConfigurationBlock.model_validate(settings), [path])
    assert needs in found[path]


def test_a_key_that_acts_is_not_named() -> None:
    config = ConfigurationBlock.model_validate(
        {
            "environment": {"source": "support", "scope": "sample", "encoder": "isab"},
            "decouple": {"pearson": 1.0},
        }
    )
    assert (
        unread(config, ["environment.rank", "environment.inducing", "decouple.reach", "model.anchors"]) == {}
    )
