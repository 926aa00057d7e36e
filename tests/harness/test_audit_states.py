"""What is remembered from step to step: each way of losing it is said at a real step, and intact units keep it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.audit import states
from harness.trial.step.balance import GradNorm
from harness.trial.step.trainer import Trainer
from models.environment.memory import at_epoch
from models.environment.resistance import Reference
from models.losses.competition import Competition
from models.losses.contrastive import Contrastive
from models.losses.decoupling import Decoupling
from models.losses.prototypes import Prototypes
from models.losses.standing import Standing
from models.losses.task import Immax
from models.losses.term import LossTerm, State
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_real_steps import said, told

HIDES = {"episode.pseudo_unseen": 0.4, "environment.teacher.kind": "ema"}
EVERYTHING: dict[str, Any] = {
    **HIDES,
    "energy.form": "gated",
    "balance.kind": "grad_norm",
    "loss.contrastive.weight": 0.5,
    "loss.prototypes.weight": 0.5,
    "loss.competition.weight": 0.5,
    "decouple.hsic": 0.5,
}


def keeps(cls: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Terms of a class keep one of their states as it is."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        forward = cls.forward

        def kept(self: LossTerm, step: Any, state: State) -> tuple[Tensor, State]:
            value, after = forward(self, step, state)
            return value, {**after, name: state[name]}

        monkeypatch.setattr(cls, "forward", kept)

    return patch


def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    update = Reference.update
    monkeypatch.setattr(
        Reference, "update", lambda self, *parts: update(self, *parts)._replace(seen=self.seen)
    )


def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    update = Reference.update

    def changed(self: Reference, cell: Tensor, r: Tensor, z_e: Tensor) -> Reference:
        return update(self, cell, r, z_e, 0.5)

    monkeypatch.setattr(Reference, "update", changed)


def asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.trial.step.trainer.after_step", lambda memory, branches: dict(memory))


def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    combine = GradNorm.combine

    def forgets(self: GradNorm, *parts: Any) -> Any:
        return combine(self, *parts)._replace(state=parts[3])

    monkeypatch.setattr(GradNorm, "combine", forgets)


def classes_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    following = Immax._next

    def exchanged(self: Immax, a: Tensor, positive: Tensor, negative: Tensor, here: Tensor) -> Tensor:
        return following(self, a, negative, positive, 1 - here)

    monkeypatch.setattr(Immax, "_next", exchanged)


def kinds_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running losses of seen and of pseudo-unseen episodes change places."""
    after = Competition._standings_after

    def exchanged(self: Competition, step: Any, state: State, values: Any, hidden: Tensor) -> State:
        return after(self, step, state, values, ~hidden)

    monkeypatch.setattr(Competition, "_standings_after", exchanged)


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    update = Standing.update

    def hurried(self: Standing, line: Tensor, values: Any, momentum: float) -> Standing:
        return update(self, line, values, 1 - momentum)

    monkeypatch.setattr(Standing, "update", hurried)


def at_every_epoch(change: Callable[[State, State], State]) -> Callable[[pytest.MonkeyPatch], None]:
    """Change the memory that an epoch begins with: (before, as it should be) -> after."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        def changed(memory: State, branches: Any, epoch: int) -> State:
            return change(memory, at_epoch(memory, branches, epoch))

        for module in ("harness.trial.step.trainer", "harness.audit.reference_step"):
            monkeypatch.setattr(f"{module}.at_epoch", changed)

    return patch


def begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Terms forget their states when an epoch begins."""
    step = Trainer.step

    def forgets(self: Trainer, batch: Any, *, progress: float, probe: bool) -> Any:
        if progress == int(progress):
            self.states = {term.key: term.initial_state() for term, _ in self.weighted}
        return step(self, batch, progress=progress, probe=probe)

    monkeypatch.setattr(Trainer, "step", forgets)


frozen = at_every_epoch(
    lambda old, new: {
        name: old[name] if name.startswith("earlier/") else value for name, value in new.items()
    }
)
hurried = at_every_epoch(lambda _, new: {**new, "ready": torch.ones_like(new["ready"])})
BROKEN: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "no line is seen": (unseen, "does not note which cell lines were met"),
    "another momentum": (hasty, "its r is not the running mean"),
    "the Teacher sleeps": (asleep, "does not follow the Student by 0.01"),
    "the balance forgets": (forgetful, "counts 0 steps of "),
    "a bank is not written": (keeps(Contrastive, "z_e"), "its state z_e"),
    "a bank forgets whose rows it has": (keeps(Contrastive, "cell"), "its state cell"),
    "samples are not kept": (keeps(Decoupling, "filled"), "its state filled"),
    "prototypes rest": (keeps(Prototypes, "prototype"), "its state prototype"),
    "no standing of hidden names": (keeps(Competition, "hidden/met"), "its state hidden/met"),
    "margins of the other class": (classes_exchanged, "its state a as"),
    "standings of the other names": (kinds_exchanged, "its state seen/student"),
    "standings with another momentum": (quick, "its state seen/student"),
    "no scale of the statistics": (keeps(Competition, "square"), "its state square"),
    "the earlier Teacher stays": (frozen, "is not as the Teacher stood when epoch 2 began"),
    "the earlier Teacher has trained at once": (hurried, "the earlier Teacher of epoch 1 has trained"),
    "states begin anew": (begins_anew, "at step 3, the step did not leave its state"),
}


def test_an_intact_unit_remembers_as_defined(make_unit: MakeUnit) -> None:
    for number, changes in enumerate(
        ({}, EVERYTHING, {**EVERYTHING, "curriculum.phase1_epochs": 1}, {"episode.sampler": "random"})
    ):
        accused = [f for f in said(make_unit(changes, run=str(number))) if f.verdict == "broken"]
        assert accused == []


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_remembered_is_said(
    name: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, sentence = BROKEN[name]
    unit = make_unit(EVERYTHING)
    patch(monkeypatch)
    assert any(sentence in finding.reason for finding in told(unit, epochs=2))


def test_a_state_that_nothing_writes_is_said_at_the_end(make_unit: MakeUnit) -> None:
    trainer: Trainer = make_unit({"loss.prototypes.weight": 0.5}).trainer
    initial = {key: dict(state) for key, state in trainer.states.items()}
    assert states.untouched(initial, trainer, {"prototypes"}) == ["prototypes"]
    assert states.untouched(initial, trainer, set()) == []
    trainer.states["prototypes"]["seen"] = torch.ones_like(trainer.states["prototypes"]["seen"])
    assert states.untouched(initial, trainer, {"prototypes"}) == []
