"""Whether energy and temperature pass on the gradient that their values have: a cut or a factor on the way back is told."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from harness.audit.finding import MechanismFinding
from harness.audit.raised import again_in_double
from harness.audit.scene import in_double
from harness.audit.twins import Twins
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.trainer import Trainer
from models.stopped import Held
from models.streams import generator

LENGTH = 1e-6
TOLERANCE = 1e-4
"""Largest difference of a slope from the numerical one, relative to both."""
NOTHING = 1e-8
"""Slope in float64, relative to the size of the values, that says nothing."""


def other_slopes(twins: Twins) -> list[MechanismFinding]:
    """A finding where the derivative of the energy or of T by one of its inputs is not the numerical one, in float64 with
    stopped gradients held."""
    with again_in_double(twins.probe.config):
        return _other_slopes(in_double(twins.probe.behind(whole=True)), twins.probe.batch)


def _other_slopes(trainer: Trainer, batch: EpisodeBatch) -> list[MechanismFinding]:
    model, asked = trainer.model, dict[str, tuple[Any, ...]]()
    places: dict[str, nn.Module] = {"energy": model.energy, "temperature": model.temperature}

    def asks(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            asked[name] = inputs

        return keep

    hooks = [module.register_forward_pre_hook(asks(name)) for name, module in places.items()]
    with torch.no_grad():
        trainer.measure(batch, warm=False)
    for hook in hooks:
        hook.remove()
    findings = []
    for name, inputs in asked.items():
        for place, value in enumerate(inputs):
            if isinstance(value, Tensor) and (text := _unlike(places[name], inputs, place, trainer.seed)):
                findings.append(MechanismFinding("-", name, "broken", text, "direction"))
    return findings[:1]


def _unlike(module: nn.Module, inputs: tuple[Any, ...], place: int, seed: int) -> str:
    """The slope of one input's gradient along a random direction against the numerical one, in words where they differ."""
    source, held = generator(seed, "audit", "slopes", place), Held()
    start: Tensor = inputs[place].detach()

    def out(value: Tensor) -> Tensor:
        with held.run():
            made: Tensor = module(*inputs[:place], value, *inputs[place + 1 :])
        return made

    leaf = start.clone().requires_grad_()
    values = out(leaf)
    weights = torch.randn(values.shape, generator=source, dtype=torch.float64).to(values)
    way = torch.randn(start.shape, generator=source, dtype=torch.float64).to(start)
    slope = 0.0
    if values.requires_grad:
        (gradient,) = torch.autograd.grad((weights * values).sum(), leaf, allow_unused=True)
        slope = 0.0 if gradient is None else float((gradient * way).sum())
    with torch.no_grad():
        ahead, behind = (float((weights * out(start + sign * LENGTH * way)).sum()) for sign in (1.0, -1.0))
    numerical = (ahead - behind) / (2 * LENGTH)
    nothing = NOTHING * (1 + float((weights * values.detach()).abs().sum()))
    if abs(slope - numerical) <= nothing + TOLERANCE * (abs(slope) + abs(numerical)):
        return ""
    name = type(module).__name__
    return f"{name} passes a slope of {slope:.4g} to input {place + 1}, where its values have {numerical:.4g}"
