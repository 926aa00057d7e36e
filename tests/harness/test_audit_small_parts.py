"""Faults in a small part of something that is otherwise as it should be: a row, a tensor, a part's weight, an epoch."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.audit import reference_step
from harness.audit.finding import FATAL
from harness.trial.step import trainer
from models.environment.branches import Branches
from models.environment.identity import IdEnvironment
from models.environment.memory import Memory, at_epoch
from models.environment.set_encoders import MomentsEncoder
from models.losses.speculation import Speculation
from tests.audited import audit_of
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_real_steps import said

BY_NAME: dict[str, Any] = {"environment.source": "id", "environment.unseen": "mean"}
SPECULATES = {"loss.speculation.weight": 0.5}
MOMENTS = {"environment.encoder": "moments"}
HIDES = {"episode.pseudo_unseen": 0.4, "environment.teacher.kind": "ema"}


def reasons(make_unit: MakeUnit, changes: Mapping[str, Any]) -> str:
    found = audit_of(make_unit(dict(changes))).findings
    return "; ".join(f"{f.mechanism}: {f.reason}" for f in found if f.verdict in FATAL)


def padded(patch: pytest.MonkeyPatch) -> None:
    init = IdEnvironment.__init__

    def broken(self: IdEnvironment, cell_lines: int, width: int, *arguments: Any, **named: Any) -> None:
        init(self, cell_lines, width, *arguments, **named)
        self.table = nn.Embedding(cell_lines, width, padding_idx=1)

    patch.setattr(IdEnvironment, "__init__", broken)


def prior_of_one(patch: pytest.MonkeyPatch) -> None:
    init = Speculation.__init__

    def broken(self: Speculation, margin: float = 0.0, prior: float = 1.0) -> None:
        init(self, margin, prior or 1.0)

    patch.setattr(Speculation, "__init__", broken)


def spread_detached(patch: pytest.MonkeyPatch) -> None:
    def broken(self: MomentsEncoder, x: Tensor) -> Tensor:
        features = torch.cat([x, self.phi(x)], -1)
        spread = (features.var(-2, correction=0) + 1e-6).sqrt().detach()
        made: Tensor = self.rho(torch.cat([features.mean(-2), spread], -1))
        return made

    patch.setattr(MomentsEncoder, "encode", broken)


CASES: list[tuple[str, Any, Mapping[str, Any], str]] = [
    ("a row of a table", padded, BY_NAME, "gets no gradient in a step that shows it"),
    ("the weight of a part", prior_of_one, SPECULATES, "0 does not leave the part out"),
    ("a small tensor", spread_detached, MOMENTS, "times as far as its gradient says"),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_fault_of_a_small_part_is_said(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, case: tuple[str, Any, Mapping[str, Any], str]
) -> None:
    _, broken, changes, sentence = case
    assert reasons(make_unit, changes) == ""
    broken(monkeypatch)
    assert sentence in reasons(make_unit, changes)


def test_a_teacher_that_is_frozen_once_is_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    def once(memory: Memory, branches: Branches, epoch: int) -> dict[str, Tensor]:
        if "ready" in memory and float(memory["ready"]) > 0:
            return {**memory, "earlier_epoch": torch.tensor(epoch)}
        return at_epoch(memory, branches, epoch)

    assert all("Teacher" not in finding.reason for finding in said(make_unit(HIDES, run="intact"), epochs=4))
    monkeypatch.setattr(trainer, "at_epoch", once)
    monkeypatch.setattr(reference_step, "at_epoch", once)
    heard = [finding.reason for finding in said(make_unit(HIDES), epochs=4)]
    assert any(
        "the earlier Teacher is not the Teacher as it stood when epoch 3 began" in text for text in heard
    )
