"""A learning rate of 0 for the parameters of one class, in the unit's own optimiser alone."""

from typing import Any

from torch import nn

from harness.trial.step.optimiser import PlainAdamW
from harness.trial.step.trainer import Trainer
from tests.sabotage.tampering import Tampering


def freezes(tampering: Tampering, cls: type) -> None:
    """Every step of the unit's own optimiser leaves the parameters of `cls` as they are."""

    def make(true: Any) -> Any:
        def step(self: PlainAdamW, *arguments: Any, **named: Any) -> Any:
            real = tampering.real
            held = parameters(real, cls) if real is not None and self is real.optimiser else []
            before = [parameter.detach().clone() for parameter in held]
            result = true(self, *arguments, **named)
            for parameter, value in zip(held, before, strict=True):
                tampering.noted(parameter.detach(), value)
                parameter.data.copy_(value)
            return result

        return step

    tampering.replace(PlainAdamW, "step", make)


def parameters(trainer: Trainer, cls: type) -> list[nn.Parameter]:
    """Parameters of every instance of a class in model and terms, each once."""
    modules = [*trainer.model.modules(), *trainer.terms.modules()]
    instances = [module for module in modules if isinstance(module, cls)]
    return list(dict.fromkeys(parameter for module in instances for parameter in module.parameters()))
