"""Neutralising a module in a clone: its output is made the same for every sample, or doubled, or its input's mean."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from harness.trial.step.trainer import Trainer
from models.sequence.windows import Windows


def members(trainer: Trainer, cls: type) -> Iterator[tuple[str, nn.Module]]:
    """Instances of a class in the model and the terms, by the qualified name that their parameters have."""
    roots: tuple[tuple[nn.Module, str], ...] = ((trainer.model, ""), (trainer.terms, "terms."))
    for root, prefix in roots:
        named: dict[str, nn.Module] = dict(root.named_modules())
        for name, module in named.items():
            if isinstance(module, cls):
                yield prefix + name, module


def constant_output(cls: type, *, inner: bool = False) -> Callable[[Trainer], None]:
    """Every instance gives each sample the mean over the samples (dimension 0) of what it gives; `inner`: its parts do, of
    a class that is entered by another method than its forward."""
    return _on_output(
        cls,
        lambda t: t.mean(0, keepdim=True).expand_as(t) if t.is_floating_point() and t.ndim else t,
        inner=inner,
    )


def doubled_output(cls: type) -> Callable[[Trainer], None]:
    """Every instance gives twice of what it gives."""
    return _on_output(cls, lambda t: 2 * t)


def mean_resistance(trainer: Trainer) -> None:
    """The energy reads R_E = its mean over episodes and pairs: a gate becomes a constant."""

    def flatten(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        u, r, *rest = arguments
        return (u, r.mean().expand_as(r), *rest)

    trainer.model.energy.register_forward_pre_hook(flatten)


def forgetful(trainer: Trainer) -> None:
    """What a Teacher remembers is what the Student is now."""
    trainer.memory = trainer.model.environment.initial_memory()


def resisted(r: float) -> Callable[..., Any]:
    """A change of an energy's arguments: it hears this R_E."""

    def change(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        u, heard, *rest = arguments
        return (u, torch.full_like(heard, r), *rest), named

    return change


def rolled_apart(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sequence side's arguments for the same pairs twice: first the enhancers are other pairs', then the promoters."""
    enhancer, promoter, *rest = arguments
    sides = []
    for number, side in enumerate((enhancer, promoter)):
        windows = Windows.of(side)
        halves = [*windows.row.chunk(2)]
        halves[number] = halves[number].roll(max(1, len(halves[number]) // 2))
        sides.append(windows._replace(row=torch.cat(halves)))
    return (*sides, *rest)


def _on_output(
    cls: type, change: Callable[[Tensor], Tensor], *, inner: bool = False
) -> Callable[[Trainer], None]:
    def patch(trainer: Trainer) -> None:
        for _, module in members(trainer, cls):
            for surface in module.children() if inner else (module,):
                surface.register_forward_hook(lambda _module, _arguments, output: mapped(output, change))

    return patch


def mapped(output: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The output of a module with every tensor in it changed; tuples and named tuples keep their type."""
    if isinstance(output, Tensor):
        return change(output)
    if isinstance(output, tuple):
        parts = tuple(mapped(part, change) for part in output)
        return parts if type(output) is tuple else type(output)(*parts)
    return output


def parts_of(output: Any) -> list[Tensor]:
    """The tensors in a module's output, in the order in which `mapped` meets them."""
    if isinstance(output, Tensor):
        return [output]
    return [part for each in output for part in parts_of(each)] if isinstance(output, tuple) else []
