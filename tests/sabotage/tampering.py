"""Changes to the harness's public classes for a while, with proof that they changed something."""

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from harness.trial.step.trainer import Trainer
from models.episode import Support

Make = Callable[[Any], Any]
"""The true attribute -> what stands in its place."""


class Tampering(contextlib.AbstractContextManager["Tampering"]):
    """Replaces attributes while it lasts. A name that moved is an AttributeError.

    `real` is the trainer of the unit, the first one that is built; all later ones are the audit's. `epoch` is the one that
    it is in (1-based). `changes` counts what came out otherwise than it should have.
    """

    def __init__(self) -> None:
        self.changes, self.epoch = 0, 1
        self.real: Trainer | None = None
        self._stack = contextlib.ExitStack()
        self._on_build: list[Callable[[Trainer], None]] = []
        self._on_epoch: list[tuple[int, Callable[[Trainer], None]]] = []

    def __enter__(self) -> "Tampering":
        self.replace(Trainer, "__init__", self._watched_init)
        self.replace(Trainer, "step", self._watched_step)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def replace(self, owner: Any, name: str, make: Make) -> None:
        """Put what `make` makes of the true attribute in its place."""
        true = getattr(owner, name)
        self._stack.enter_context(patch.object(owner, name, make(true)))

    def noted(self, true: Any, false: Any) -> Any:
        """`false`, counted where it is not what is `true`."""
        self.changes += differs(true, false)
        return false

    def when_built(self, change: Callable[[Trainer], None]) -> None:
        """Have every trainer changed after it is built."""
        self._on_build.append(change)

    def when_real(self, change: Callable[[Trainer], None]) -> None:
        """Have the unit's own trainer changed after it is built."""
        self._on_build.append(lambda trainer: change(trainer) if trainer is self.real else None)

    def at_epoch(self, epoch: int, change: Callable[[Trainer], None]) -> None:
        """Have the unit's own trainer changed before the first step of an epoch."""
        self._on_epoch.append((epoch, change))

    def _watched_init(self, true: Any) -> Any:
        def init(trainer: Trainer, *arguments: Any, **named: Any) -> None:
            true(trainer, *arguments, **named)
            self.real = self.real or trainer
            for change in self._on_build:
                change(trainer)

        return init

    def _watched_step(self, true: Any) -> Any:
        def step(trainer: Trainer, *arguments: Any, **named: Any) -> Any:
            if trainer is self.real:
                self.epoch = math.floor(named["progress"]) + 1
                due = [change for epoch, change in self._on_epoch if epoch <= self.epoch]
                self._on_epoch = [pair for pair in self._on_epoch if pair[0] > self.epoch]
                for change in due:
                    change(trainer)
            return true(trainer, *arguments, **named)

        return step


def differs(true: Any, false: Any) -> bool:
    """Whether two results differ in a value, a shape, or in whether a gradient goes through them."""
    if isinstance(true, Tensor) and isinstance(false, Tensor):
        same = true.shape == false.shape and torch.equal(true.detach(), false.detach())
        return not same or true.requires_grad != false.requires_grad
    if isinstance(true, Support) and isinstance(false, Support):
        return differs(vars(true), vars(false))
    if isinstance(true, np.ndarray):
        return not np.array_equal(true, false)
    if isinstance(true, tuple | list):
        return len(true) != len(false) or any(map(differs, true, false))
    if isinstance(true, Mapping):
        return true.keys() != false.keys() or any(differs(true[key], false[key]) for key in true)
    return bool(true != false)
