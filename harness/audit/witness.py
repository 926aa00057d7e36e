"""What really arrives inside a model while it trains and predicts, noted by hooks that change no value."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from harness.audit.sequences import Glimpse, ReadWindows
from harness.trial.step.trainer import Trainer
from models.episode import Step, Support
from models.sequence.windows import Windows


class ScoredQuery(NamedTuple):
    """Query pairs as the energy got them, u [E, Q], and the logits [E, Q] that it gave."""

    u: Tensor
    logit: Tensor


class Arrival(NamedTuple):
    """Support sets as they arrived inside the environment (see `Support`): u, label, labelled [E, S], cell, z_i [E, S, d],
    v [E, F], hidden [E], owner [E, Q]; and what the energy gave in these environments (None: it was not asked, as in phase
    1)."""

    u: Tensor
    label: Tensor
    labelled: Tensor
    cell: Tensor
    z_i: Tensor
    v: Tensor | None = None
    hidden: Tensor | None = None
    owner: Tensor | None = None
    scored: ScoredQuery | None = None


class Encoding(NamedTuple):
    """U_I [B] and features for the environment [B, d] that the sequence side gave, and what it read of both `sides`: in a
    training step all of it."""

    u: Tensor
    stream: Tensor
    sides: tuple[ReadWindows, ...]

    @property
    def seen(self) -> Glimpse | None:
        """A glimpse of the base codes of both sides that were read, pair by pair; None where a pair's were not."""
        rows = [(side, side.rows()) for side in self.sides]
        glimpses = [(side.width, side.glimpse(places)) for side, places in rows if places is not None]
        return tuple(glimpses) if len(glimpses) == len(rows) else None


@dataclass
class Witness:
    """Hooks on environment, energy, sequence side and task term of a trainer. What they saw since it was last cleared:
    `arrivals` and `encodings`, in their order, and in a training step (`training`) the `step` that the terms read;
    `reading`: what the sequence side was given last. Copies of the modules are of no interest, and nothing that was seen
    is copied or changed."""

    trainer: Trainer
    training: bool = False
    arrivals: list[Arrival] = field(default_factory=list)
    encodings: list[Encoding] = field(default_factory=list)
    step: Step | None = None
    reading: tuple[ReadWindows, ...] = ()

    def __post_init__(self) -> None:
        model = self.trainer.model
        task = self.trainer.weighted[0][0]

        # Functions, since a copy of a module would copy the object of a bound method along with it.
        def environment(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            if module is model.environment:
                self.arrived(arguments[0] if arguments else named["support"])

        def energy(module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
            if module is model.energy:
                self.answered(arguments[0], output)

        def reads(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
            if module is not model.sequence:
                return None
            self.reading = tuple(ReadWindows(Windows.of(side), whole=self.training) for side in arguments[:2])
            return (*(side.windows for side in self.reading), *arguments[2:])

        def sequence(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            if module is model.sequence:
                self.encodings.append(Encoding(output.u, output.stream, self.reading))

        def terms(module: nn.Module, arguments: tuple[Any, ...]) -> None:
            if module is task:
                self.step = arguments[0].whole()

        self._handles = [
            model.environment.register_forward_pre_hook(environment, with_kwargs=True),
            model.energy.register_forward_hook(energy),
            model.sequence.register_forward_pre_hook(reads),
            model.sequence.register_forward_hook(sequence),
            task.register_forward_pre_hook(terms),
        ]

    def arrived(self, support: Support) -> None:
        sets = (support.u, support.label, support.labelled, support.cell, support.z_i)
        self.arrivals.append(Arrival(*sets, support.v, support.hidden, support.owner))

    def answered(self, u: Tensor, logit: Tensor) -> None:
        """The first answer in an environment is the score; a competition asks again, at other resistances."""
        if self.arrivals and self.arrivals[-1].scored is None:
            self.arrivals[-1] = self.arrivals[-1]._replace(scored=ScoredQuery(u, logit))

    def clear(self, *, training: bool = False) -> None:
        """Forget everything; `training`: what comes next is a step."""
        self.training = training
        self.arrivals, self.encodings, self.step = [], [], None

    def close(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()


def row_of(parts: Sequence[Encoding], place: int) -> Tensor:
    """Features of one pair of those that were encoded in parts."""
    for part in parts:
        if place < len(part.u):
            break
        place -= len(part.u)
    return part.stream[place]


def same_values(made: Tensor, received: Tensor) -> bool:
    """Whether what the sequence side made is what was received, whatever its shape there."""
    return torch.equal(made.detach().float().flatten(), received.detach().flatten())
