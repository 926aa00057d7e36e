"""The same question at other parameters, where one answer may be chance: R_E of a cell line is a single number."""

import zlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

from harness.audit.effect import quiet
from harness.audit.probe import Patch, Probe
from harness.audit.reading import Moved, ScoreReading
from harness.trial.step.trainer import Trainer

PLACES = 2
"""Other parameters that a still split is asked at: each of two is another chance of about one in a thousand."""
WIDTH = 0.5
"""Largest relative change of a parameter there. What is 0 stays 0."""


class Vantage(NamedTuple):
    """A trainer whose predictions are looked at, their `reading`, and what puts another trainer where it stands."""

    trainer: Trainer
    reading: ScoreReading
    shift: Patch


Look = Callable[[Vantage], Moved]
"""What moves in the predictions of a vantage."""


class Elsewhere:
    """Clones of a probe's state with other parameters behind the sequence side, made when they are first looked from."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._vantages: list[Vantage] = []

    def confirmed(self, moved: Moved, asked: frozenset[str], look: Look) -> Moved:
        """What moves here (`moved`), or elsewhere where nothing does on a split of the places asked for.

        A module that a prediction does not hear moves nothing anywhere; an R_E that happens to be the one that it was
        exchanged for does at other parameters. Costs nothing where every split moves here.
        """
        for number in range(PLACES):
            if not quiet(asked, moved.still):
                break
            moved = moved.beside(look(self._vantage(number)))
        return moved

    def _vantage(self, number: int) -> Vantage:
        if number == len(self._vantages):
            shift, subject = partial(_shift, number=number), self._probe.subject
            clone = self._probe.clone(patch=shift)
            self._vantages.append(
                Vantage(clone, ScoreReading(clone, subject.predictor, subject.pairs), shift)
            )
        return self._vantages[number]


@torch.no_grad()
def _shift(trainer: Trainer, *, number: int) -> None:
    """Every parameter behind the sequence side times factors in 1 +- WIDTH that go by its name; what the memory has of a
    Teacher keeps its distance from the Student."""
    before = trainer.model.environment.initial_memory()
    inner = {id(parameter) for parameter in trainer.model.sequence.parameters()}
    for name, parameter in trainer.model.named_parameters():
        if id(parameter) not in inner:
            draws = torch.Generator().manual_seed(zlib.crc32(f"{number} {name}".encode()))
            factors = 1 + WIDTH * (2 * torch.rand(parameter.shape, generator=draws) - 1)
            parameter.mul_(factors.to(parameter))
    after = trainer.model.environment.initial_memory()
    trainer.memory = {
        name: value + after[name] - before[name] if value.is_floating_point() and name in after else value
        for name, value in trainer.memory.items()
    }
