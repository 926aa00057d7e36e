"""Ways of breaking an energy form."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from harness.mechanisms.mechanism import Mechanism
from harness.trial.score.predict import Predictor
from models.energy.base import Energy
from tests.sabotage.freezing import freezes
from tests.sabotage.modules import deaf_to_unseen
from tests.sabotage.tampering import Tampering
from tests.sabotage.way import Way

LEARNED = frozenset({"interaction", "gated", "blocking"})
"""Forms with a learned scalar."""
Form = Callable[[Callable[..., Tensor], Tensor, Tensor, Tensor], Tensor]
"""(the true form, u, r, t) -> logit."""


def ways(mechanism: Mechanism, cls: type[Energy]) -> Iterator[Way]:
    """All that apply but `key ignored`."""
    forms: dict[tuple[str, str], Form] = {
        ("gradient cut", "R_E without gradient"): _cut,
        ("constant output", "the logit is 1"): lambda true, u, r, t: torch.ones_like(u),
        ("built but not called", "U_I / T"): lambda true, u, r, t: u / t,
        ("input ignored", "R_E = 0"): lambda true, u, r, t: true(u, torch.zeros_like(r), t),
        ("input ignored", "T = 1"): lambda true, u, r, t: true(u, r, torch.ones_like(t)),
        ("another input read", "the next episode's R_E"): lambda true, u, r, t: true(u, r.roll(1, 0), t),
        ("sign flipped", "-R_E"): lambda true, u, r, t: true(u, -r, t),
    }
    for (kind, text), form in forms.items():
        yield Way(kind, text, lambda tampering, form=form: _always(tampering, cls, form))  # type: ignore[misc]
    if mechanism.key in LEARNED:
        yield Way("real run only", "learning rate 0 of its scalar", lambda t: freezes(t, cls))
    yield Way(
        "prediction only",
        "U_I / T without gradients",
        lambda t: _when(t, cls, lambda: not torch.is_grad_enabled()),
    )
    yield Way("prediction only", "R_E = 0 for unseen cell lines", deaf_to_unseen)
    yield Way("prediction only", "another energy on the test split", lambda t: _on_split(t, cls, "test"))
    yield Way("late", "U_I / T from the second epoch on", lambda t: _when(t, cls, lambda: t.epoch > 1))


def _cut(true: Callable[..., Tensor], u: Tensor, r: Tensor, t: Tensor) -> Tensor:
    return true(u, r.detach(), t)


def _always(tampering: Tampering, cls: type, form: Form, now: Callable[[], bool] = lambda: True) -> None:
    def make(true: Any) -> Any:
        def forward(self: Energy, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
            logit: Tensor = true(self, u, r, temperature)
            if not now():
                return logit
            # U_I and a learned scalar have a gradient all the same.
            tampering.changes += form is _cut and r.requires_grad
            false: Tensor = tampering.noted(logit, form(lambda *a: true(self, *a), u, r, temperature))
            return false

        return forward

    tampering.replace(cls, "forward", make)


def _when(tampering: Tampering, cls: type, now: Callable[[], bool]) -> None:
    _always(tampering, cls, lambda true, u, r, t: u / t - 0.3, now)


def _on_split(tampering: Tampering, cls: type, split: str) -> None:
    here: list[str] = []

    def make(true: Any) -> Any:
        def predict(self: Predictor, *arguments: Any, **named: Any) -> Any:
            here.append(named["split"])
            try:
                return true(self, *arguments, **named)
            finally:
                here.pop()

        return predict

    tampering.replace(Predictor, "predict", make)
    _when(tampering, cls, lambda: here[-1:] == [split])
