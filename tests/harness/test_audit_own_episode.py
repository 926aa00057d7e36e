"""What a module says of an episode is of that episode alone, and a module that mixes them is named."""

from typing import Any

import pytest
from torch import Tensor

from harness.audit.own_episode import reads_other_episodes
from harness.audit.probe import Probe
from models.environment.opportunist import Opinion, Opportunist
from tests.harness.conftest import MakeUnit

COMPETES: dict[str, Any] = {
    "loss.competition.weight": 1.0,
    "environment.teacher.kind": "gradient",
    "episode.pseudo_unseen": 0.4,
}


def said(make_unit: MakeUnit, changes: dict[str, Any]) -> str:
    return reads_other_episodes(Probe(make_unit(changes, twins=False).subject))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        COMPETES,
        {"environment.encoder": "attention", "environment.scope": "sample"},
        {**COMPETES, "environment.prior.extrapolate": "posterior"},
    ],
    ids=str,
)
def test_no_sound_module_reads_other_episodes(changes: dict[str, Any], make_unit: MakeUnit) -> None:
    assert said(make_unit, changes) == ""


def test_an_opportunist_that_reads_others_is_named(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = Opportunist.forward

    def mixing(self: Opportunist, x: Tensor) -> Opinion:
        return sound(self, x - x.mean(0))

    monkeypatch.setattr(Opportunist, "forward", mixing)
    text = said(make_unit, COMPETES)
    assert text.startswith("Opportunist (loss.competition.opportunists.0) gives other numbers for an episode")
