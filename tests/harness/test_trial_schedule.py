"""Curriculum and ramp: which term acts when."""

from typing import Any

import pytest

from harness.config.blocks.training import (
    CurriculumBlock,
    FixedBalanceBlock,
    GradNormBalanceBlock,
    PcGradBalanceBlock,
    RampBalanceBlock,
)
from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.step.schedule import Schedule
from models.losses import LOSSES

TERMS = LOSSES.terms()


def test_phase_one_leaves_only_the_sequence_side() -> None:
    schedule = Schedule(CurriculumBlock(phase1_epochs=2), FixedBalanceBlock())
    assert [schedule.phase(epoch) for epoch in (1, 2, 3)] == [1, 1, 2]
    assert schedule.factor(TERMS["immax"], 1.9) == 1.0
    assert schedule.factor(TERMS["contrastive"], 1.9) == 0.0
    assert schedule.factor(TERMS["grl"], 1.9) == 0.0
    assert schedule.factor(TERMS["contrastive"], 2.0) == 1.0


def test_ramp_rises_linearly_from_the_start_of_phase_two() -> None:
    schedule = Schedule(CurriculumBlock(phase1_epochs=1), RampBalanceBlock(kind="ramp", epochs=2.0))
    assert [schedule.factor(TERMS["pearson"], p) for p in (0.5, 1.0, 1.5, 2.0, 3.0, 9.0)] == [
        0,
        0,
        0.25,
        0.5,
        1,
        1,
    ]
    assert schedule.factor(TERMS["immax"], 1.0) == 1.0


def test_ramp_without_phase_one_spares_the_task_alone() -> None:
    schedule = Schedule(CurriculumBlock(), RampBalanceBlock(kind="ramp", epochs=4.0))
    assert schedule.factor(TERMS["ranking_pairwise"], 1.0) == pytest.approx(0.25)
    assert schedule.factor(TERMS["immax"], 0.0) == 1.0


def test_the_curriculum_ramps_under_any_balance() -> None:
    curriculum = CurriculumBlock(phase1_epochs=1, ramp_epochs=2.0)
    for balance in (
        FixedBalanceBlock(),
        GradNormBalanceBlock(kind="grad_norm"),
        PcGradBalanceBlock(kind="pcgrad"),
    ):
        schedule = Schedule(curriculum, balance)
        assert [schedule.factor(TERMS["pearson"], p) for p in (0.5, 1.0, 1.5, 2.0, 3.0)] == [
            0,
            0,
            0.25,
            0.5,
            1,
        ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"balance": {"kind": "ramp"}, "loss": {"speculation": {"weight": 1.0}}}, "are the same ramp"),
        ({}, "has no weights to raise"),
    ],
)
def test_a_ramp_that_could_not_act_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ConfigurationBlock.model_validate({**given, "curriculum": {"ramp_epochs": 2.0}})
