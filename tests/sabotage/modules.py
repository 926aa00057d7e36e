"""Ways of breaking a module of the sequence or environment side, or a temperature."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from harness.audit.neutral import mapped
from harness.mechanisms.mechanism import Mechanism
from harness.trial.score.predict import Predictor
from models.energy.temperature import CalibratedTemperature, FixedTemperature, LearnedTemperature, Temperature
from models.environment.base import Environment, EnvironmentOutput
from models.environment.cell_environment import CellEnvironment
from models.environment.graph import PrototypeGraph
from models.environment.opportunist import Opportunist
from models.environment.placement import Placement
from models.environment.resistance import Resistance, ResistanceOutput
from models.environment.set_encoders import SetEncoder
from models.environment.student import SupportEnvironment
from models.environment.teacher import Teacher
from models.episode import Support
from models.sequence.interaction import Interaction
from models.sequence.stem import KmerStem
from tests.sabotage import records
from tests.sabotage.freezing import freezes
from tests.sabotage.tampering import Tampering
from tests.sabotage.way import Way

Change = Callable[[tuple[Any, ...], Tensor], Tensor]
Arguments = Callable[[tuple[Any, ...]], tuple[Any, ...]]
UNREAD = (FixedTemperature, LearnedTemperature, CalibratedTemperature, PrototypeGraph)
"""Modules that read nothing but their own parameters."""
UNLEARNED = (FixedTemperature, CalibratedTemperature)
BY_LINE = (Environment, SetEncoder, Resistance, Placement)
"""What R_E of an unseen cell line is made by."""


def ways(mechanism: Mechanism, cls: type) -> Iterator[Way]:
    """All that apply but `key ignored`."""
    learned = not issubclass(cls, UNLEARNED)
    if issubclass(cls, Interaction):
        yield from records.ways()
    if learned:
        yield Way(
            "gradient cut", "its output is detached", lambda t: on_output(t, cls, lambda _, out: out.detach())
        )
        yield Way("constant output", "ones", lambda t: on_output(t, cls, lambda _, out: torch.ones_like(out)))
        yield Way("real run only", "learning rate 0 of its parameters", lambda t: freezes(t, cls))
        yield Way("late", "ones from the second epoch on", lambda t: on_output(t, cls, _ones_later(t)))
    if learned and not issubclass(cls, Temperature):
        yield Way("built but not called", "the mean of its input", lambda t: on_output(t, cls, _instead))
    if not issubclass(cls, UNREAD):
        place = (
            1 if mechanism.key in ("scope_sample", "graph_map") else 2 if issubclass(cls, Interaction) else 0
        )
        yield Way("input ignored", "zeros in place of its input", lambda t: on_input(t, cls, _blank(place)))
        text = (
            "the promoter for the enhancer"
            if issubclass(cls, Interaction)
            else "another episode's or pair's input"
        )
        yield Way("another input read", text, lambda t: on_input(t, cls, _other(cls, place)))
    if learned and not issubclass(cls, Opportunist):
        yield Way(
            "prediction only", "zeros without gradients", lambda t: on_output(t, cls, _without_gradients)
        )
    if issubclass(cls, BY_LINE):
        yield Way("prediction only", "R_E = 0 for unseen cell lines", deaf_to_unseen)
    if issubclass(cls, Teacher):
        yield Way("prediction only", "no Teacher without gradients", untaught)
    if issubclass(cls, SupportEnvironment):
        yield Way("contract broken", "smaller support sets in prediction", smaller)
        yield Way("contract broken", "support of another cell line in prediction", foreign)


def on_output(tampering: Tampering, cls: type, change: Change) -> None:
    """Have every floating-point tensor in what a class gives changed."""

    def make(true: Any) -> Any:
        def broken(self: Any, *arguments: Any, **named: Any) -> Any:
            output = true(self, *arguments, **named)
            false = mapped(output, lambda t: change(arguments, t) if t.is_floating_point() else t)
            return tampering.noted(output, false)

        return broken

    tampering.replace(cls, entry(cls), make)


def on_input(tampering: Tampering, cls: type, change: Arguments) -> None:
    """Have a class read other arguments."""

    def make(true: Any) -> Any:
        def broken(self: Any, *arguments: Any, **named: Any) -> Any:
            # Outputs may agree where a map starts at zero: what it reads is what counts.
            return true(self, *tampering.noted(arguments, change(arguments)), **named)

        return broken

    tampering.replace(cls, entry(cls), make)


def entry(cls: type) -> str:
    """The method that a class is entered by."""
    return "finish" if issubclass(cls, KmerStem) else "forward"


def deaf_to_unseen(tampering: Tampering) -> None:
    """R_E = 0 for cell lines that were not trained on."""

    def make(true: Any) -> Any:
        def resist(self: CellEnvironment, environment: EnvironmentOutput, *rest: Any) -> ResistanceOutput:
            output: ResistanceOutput = true(self, environment, *rest)
            cell = environment.cell.view(len(environment.cell), -1)
            false: ResistanceOutput = tampering.noted(output, output._replace(r=output.r * (cell >= 0)))
            return false

        return resist

    tampering.replace(CellEnvironment, "resist", make)


def untaught(tampering: Tampering) -> None:
    """Prediction knows no Teacher."""

    def make(true: Any) -> Any:
        def forward(self: CellEnvironment, *arguments: Any) -> EnvironmentOutput:
            output: EnvironmentOutput = true(self, *arguments)
            if torch.is_grad_enabled() or output.teacher is None:
                return output
            tampering.changes += 1
            return output._replace(teacher=None)

        return forward

    tampering.replace(CellEnvironment, "forward", make)


def smaller(tampering: Tampering) -> None:
    """Prediction draws support sets of two pairs less."""
    tampering.replace(
        Predictor,
        "support_positions",
        lambda true: lambda self, *a: tampering.noted(true(self, *a), true(self, *a)[:, 2:]),
    )


def foreign(tampering: Tampering) -> None:
    """Prediction draws support sets from the first positions of the split, whosever they are."""

    def make(true: Any) -> Any:
        def positions(self: Predictor, split: str, cell: int, there: Any, draws: int) -> Any:
            drawn = true(self, split, cell, there, draws)
            return tampering.noted(drawn, drawn - drawn.min())

        return positions

    tampering.replace(Predictor, "support_positions", make)


def blank(value: Any) -> Any:
    """Zeros in place of what a module reads; of names, the first."""
    if isinstance(value, Support):
        v = None if value.v is None else torch.zeros_like(value.v)
        return dataclasses.replace(
            value,
            z_i=torch.zeros_like(value.z_i),
            u=torch.zeros_like(value.u),
            v=v,
            cell=value.cell.clamp(max=0),
        )
    if isinstance(value, Tensor):
        return torch.zeros_like(value) if value.is_floating_point() else value.clamp(max=0)
    return value


def another(value: Any) -> Any:
    """The next sample's value."""
    if isinstance(value, Support):
        v = None if value.v is None else value.v.roll(1, 0)
        return dataclasses.replace(
            value, z_i=value.z_i.roll(1, 0), u=value.u.roll(1, 0), v=v, cell=value.cell.roll(1, 0)
        )
    return value.roll(1, 0) if isinstance(value, Tensor) else value


def _blank(place: int) -> Arguments:
    return lambda given: (*given[:place], blank(given[place]), *given[place + 1 :])


def _other(cls: type, place: int) -> Arguments:
    if issubclass(cls, Interaction):
        return lambda given: (given[2], given[3], *given[2:])
    place = 0 if issubclass(cls, Placement) else place
    return lambda given: (*given[:place], another(given[place]), *given[place + 1 :])


def _instead(arguments: tuple[Any, ...], output: Tensor) -> Tensor:
    tensors = [a for a in arguments if isinstance(a, Tensor) and a.is_floating_point()]
    return torch.zeros_like(output) + (tensors[0].mean() if tensors else 0.0)


def _ones_later(tampering: Tampering) -> Change:
    return lambda _, output: torch.ones_like(output) if tampering.epoch > 1 else output


def _without_gradients(_: tuple[Any, ...], output: Tensor) -> Tensor:
    return output if torch.is_grad_enabled() else torch.zeros_like(output)
