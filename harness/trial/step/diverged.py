"""When a trial has diverged: something of a step, an evaluation or an audit is not finite, or the loss exploded."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.linalg import LinAlgError  # type: ignore[attr-defined]  # public, but not marked as exported


class Diverged(Exception):
    """Something of a step, an evaluation or an audit became NaN or infinite, or the task loss exploded: the trial ends as
    `diverged`, the sweep goes on."""


EXPLODED = 50.0
"""Mean task loss of an epoch, in nats per pair, that no training comes back from: logits are wrong by 50 and more."""


@contextlib.contextmanager
def diverging(weights: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Raise Diverged in place of an error of linear algebra or an overflow inside, and of any other arithmetic error where
    the `weights` or states of the trainer are not finite."""
    try:
        yield
    except (FloatingPointError, OverflowError, np.linalg.LinAlgError, LinAlgError) as error:
        raise Diverged(f"{type(error).__name__}: {error}") from error
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        state = weights()
        lost = not_finite(state)
        if lost is None:
            raise
        raise Diverged(f"{lost} is not finite at step {state['index']} ({error})") from error


def refuse_explosion(task_losses: list[float]) -> None:
    """Raise Diverged where the mean of an epoch's task losses is above EXPLODED."""
    task = float(np.mean(task_losses))
    if task > EXPLODED:
        raise Diverged(f"the task loss rose to {task:.3g} nats per pair, mean over the epoch")


def not_finite(state: Any, name: str = "") -> str | None:
    """Dotted name of the first tensor in nested mappings that holds NaN or an infinity; None when all are finite."""
    if isinstance(state, Tensor):
        return None if bool(torch.isfinite(state).all()) else name
    if not isinstance(state, Mapping):
        return None
    parts = (not_finite(value, f"{name}.{key}" if name else str(key)) for key, value in state.items())
    return next((part for part in parts if part is not None), None)
