"""Ways of breaking a loss term."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from harness.mechanisms.mechanism import Mechanism
from harness.trial.step import trainer as trainer_module
from harness.trial.step.routing import WeightedTerm
from harness.trial.step.schedule import Schedule
from models.declared import POSITIVE
from models.episode import Step
from models.losses.term import LossTerm
from tests.sabotage.freezing import freezes
from tests.sabotage.tampering import Tampering
from tests.sabotage.way import Way

INPUTS = (
    "z_e",
    "z_i",
    "r_student",
    "r",
    "temperature",
    "log_prior",
    "kl",
    "v_decoded",
    "channel_norm",
    "u",
    "logit",
)
"""Attributes of a step in the order in which one is taken for the input of a term that reads it."""
IN_PLACE: dict[str, Callable[[Step], Tensor]] = {
    "z_e": lambda step: step.z_i.mean(1),
    "z_i": lambda step: step.z_e_of_queries(),
    "r_student": lambda step: step.u.mean(1),
    "r": lambda step: step.u,
    "temperature": lambda step: 1 + step.u.mean(1, keepdim=True),
    "log_prior": lambda step: step.u.mean(),
    "kl": lambda step: step.z_e_of_queries().square().mean(-1),
    "v_decoded": lambda step: step.v_decoded.roll(1, 0),
    "channel_norm": lambda step: step.z_e.abs().mean().expand_as(step.channel_norm),
    "u": lambda step: step.r.expand_as(step.u),
    "logit": lambda step: step.u.roll(1, 0),
}
"""What a term reads in place of its input."""
Change = Callable[[Tensor], Tensor]


def ways(mechanism: Mechanism, cls: type[LossTerm]) -> Iterator[Way]:
    """All that apply but `key ignored`."""
    key = cls.key
    if any(setting.value == POSITIVE for setting in mechanism.when):
        yield Way("weight read but not used", "0.37 in its place", lambda t: _deaf(t, key))
        yield Way(
            "real run only",
            "weight 0 from the second epoch on",
            lambda t: _factor(t, key, _fading(t), real=True),
        )
    yield Way("gradient cut", "its value is detached", lambda t: _on_value(t, cls, Tensor.detach, _always))
    yield Way(
        "constant output",
        "its value is 0.5",
        lambda t: _on_value(t, cls, lambda v: torch.full_like(v, 0.5), _always),
    )
    if key != "task":
        yield Way(
            "built but not called", "no schedule has it in force", lambda t: _factor(t, key, lambda _: 0.0)
        )
        yield Way(
            "real run only",
            "its ramp never arrives",
            lambda t: _factor(t, key, lambda f: 0.01 * f, real=True),
        )
    source = next(name for name in INPUTS if name in cls.reads)
    yield Way(
        "input ignored", f"zeros in place of {source}", lambda t: _reading(t, cls, source, _zeros(source))
    )
    other = IN_PLACE[source]
    text = f"another tensor in place of {source}"
    yield Way("another input read", text, lambda t: _reading(t, cls, source, other))
    yield Way("sign flipped", "its gradient is turned round", lambda t: _on_value(t, cls, _flipped, _always))
    yield Way(
        "late",
        "detached from the second epoch on",
        lambda t: _on_value(t, cls, Tensor.detach, lambda: t.epoch > 1),
    )
    if not frozenset("SETG") <= cls.reach:
        yield Way("reach too wide", "it may move every group", lambda t: _wide(t, cls))
    if "A" in cls.reach:
        yield Way("real run only", "learning rate 0 of its own parameters", lambda t: freezes(t, cls))


def _wide(tampering: Tampering, cls: type[LossTerm]) -> None:
    def make(true: Any) -> Any:
        def init(self: LossTerm, *arguments: Any, **named: Any) -> None:
            true(self, *arguments, **named)
            self.reach = tampering.noted(self.reach, frozenset("SETGA"))

        # Registries check arguments against the signature.
        init.__signature__ = inspect.signature(true)  # type: ignore[attr-defined]  # read by inspect, unknown to typeshed
        return init

    tampering.replace(cls, "__init__", make)


def _always() -> bool:
    return True


def _fading(tampering: Tampering) -> Callable[[float], float]:
    return lambda factor: 0.0 if tampering.epoch > 1 else factor


def _flipped(value: Tensor) -> Tensor:
    return 2 * value.detach() - value


def _zeros(name: str) -> Callable[[Step], Tensor]:
    return lambda step: torch.zeros_like(getattr(step, name))


def _on_value(tampering: Tampering, cls: type, change: Change, now: Callable[[], bool]) -> None:
    def make(true: Any) -> Any:
        def forward(self: LossTerm, step: Step, state: Any) -> Any:
            value, after = true(self, step, state)
            if not now():
                return value, after
            false = change(value)
            # A sign shows in the gradient alone.
            tampering.changes += change is _flipped and value.requires_grad
            return tampering.noted(value, false), after

        return forward

    tampering.replace(cls, "forward", make)


def _reading(tampering: Tampering, cls: type, name: str, other: Callable[[Step], Tensor]) -> None:
    def make(true: Any) -> Any:
        def forward(self: LossTerm, step: Step, state: Any) -> Any:
            whole = step.whole()
            false = other(whole)
            tampering.noted(getattr(whole, name), false)
            return true(self, Step(**{**vars(whole), name: false}), state)

        return forward

    tampering.replace(cls, "forward", make)


def _factor(tampering: Tampering, key: str, change: Callable[[float], float], *, real: bool = False) -> None:
    def make(true: Any) -> Any:
        def factor(self: Schedule, term: LossTerm, progress: float) -> float:
            value: float = true(self, term, progress)
            own = not real or (tampering.real is not None and self is tampering.real.schedule)
            return tampering.noted(value, change(value)) if own and term.key == key else value

        return factor

    tampering.replace(Schedule, "factor", make)


def _deaf(tampering: Tampering, key: str) -> None:
    def make(true: Any) -> Any:
        def weighted(name: str, value: Tensor, weight: float, *rest: Any) -> WeightedTerm:
            in_force = tampering.noted(weight, 0.37 * (weight > 0)) if name == key else weight
            made: WeightedTerm = true(name, value, in_force, *rest)
            return made

        return weighted

    tampering.replace(trainer_module, "WeightedTerm", make)
