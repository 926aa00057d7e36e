"""The gradients that reach an optimiser, by name of the parameter."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from harness.trial.step.trainer import Trainer


@contextlib.contextmanager
def kept_gradients(
    clone: Trainer, names: Mapping[nn.Parameter, str], *, moves: bool
) -> Iterator[dict[str, Tensor]]:
    """The gradients of the steps that the optimiser takes inside, by name of the parameter; it takes them unless the
    parameters are not to move."""
    gradients: dict[str, Tensor] = {}

    def keep(optimiser: Any, *_: Any) -> None:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                name = names.get(parameter, f"unnamed {len(gradients)}")
                gradients[name] = parameter.grad.detach().clone() if moves else parameter.grad
                if not moves:
                    parameter.grad = None

    handle = clone.optimiser.register_step_pre_hook(keep)
    try:
        yield gradients
    finally:
        handle.remove()
