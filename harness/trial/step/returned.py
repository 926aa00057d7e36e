"""Whether what a loss term returns is a value and a state, whoever wrote it."""

from typing import Any

import torch
from torch import Tensor

from analysis.errors import UserError
from harness.config.sweep.use import place_of_class
from models.losses import LossTerm
from models.losses.term import State


def value_and_state(term: LossTerm, returned: Any) -> tuple[Tensor, State]:
    """(scalar, new state) as a term returned them.

    Raises
    ------
    UserError
        naming the term, and the file and line of a person's, for anything else.
    """
    fault = _fault(returned)
    if not fault:
        value, state = returned
        return value, state
    place = place_of_class(type(term))
    raise UserError(f"{f'{place}: ' if place else ''}loss term {term.key} returns {fault}")


def described(value: object) -> str:
    """A value in the words of a sentence: a tensor by its shape and type, anything else by its type."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)} and {str(value.dtype).removeprefix('torch.')}"
    return "None" if value is None else f"a {type(value).__name__}"


def _fault(returned: Any) -> str:
    if not isinstance(returned, tuple) or len(returned) != 2:
        return f"{described(returned)}, expected the pair (value, state)"
    value, state = returned
    if not isinstance(value, Tensor) or value.ndim or not torch.is_floating_point(value):
        return f"as its value {described(value)}, expected a tensor of shape [] of floating-point numbers"
    if not isinstance(state, dict):
        return f"as its state {described(state)}, expected a dictionary of tensors"
    for name, part in state.items():
        if not isinstance(part, Tensor):
            return f"{described(part)} in its state as '{name}', expected a tensor"
    return ""
