"""What a module says of an episode comes from that episode: another one's contents leave it as it is."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from harness.audit.neutral import parts_of
from harness.audit.probe import Probe
from harness.audit.probe_batches import joined
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.measure import Sides
from harness.trial.step.trainer import Trainer
from models.episode import Step
from models.sequence.potential import SequenceOutput

Call = tuple[tuple[Any, ...], dict[str, Any]]
CHANGED = 1
"""The episode whose contents are changed."""
ROUNDED = 1e-5
"""Of the largest number: what a GPU, whose sums have no one order, may make of the same. A CPU makes the same of it."""


def reads_other_episodes(probe: Probe) -> str:
    """Which module of the environment side or of a loss term moves other episodes than the one that is changed, in words;
    empty where none does.

    Every module that is called with a row per episode, and gives one, is called again with the arguments that it had in a
    step, once as they were and once with one episode's numbers changed. A module that is no function of them is let be.
    """
    batch = _uncommon(probe)
    calls = _calls(probe, batch)
    count = len(batch.support)
    for name, (module, call) in calls.items():
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            before, again = _rows(module, call, count), _rows(module, call, count)
            after = _rows(module, _changed(call, count), count)
        if not before or not all(map(_same, before, again)):
            continue
        others = torch.arange(count) != CHANGED
        if len(after) != len(before) or any(
            not _same(one[others], other[others]) for one, other in zip(before, after, strict=True)
        ):
            return f"{type(module).__name__} ({name}) gives other numbers for an episode when another one's change"
    return ""


def _same(one: Tensor, other: Tensor) -> bool:
    if one.device.type == "cpu" or one.shape != other.shape or not one.is_floating_point():
        return torch.equal(one, other)
    return bool(((one - other).abs() <= ROUNDED * (1e-3 + one.abs().max())).all()) if one.numel() else True


def _uncommon(probe: Probe) -> EpisodeBatch:
    """Episodes of the probe, so many that no other size of a step is the same number."""
    every = probe.batches[0]
    for batch in probe.batches[1:]:
        every = joined(every, batch)
    sizes = {len(probe.codes), *every.support.shape[1:], *every.query.shape[1:]}
    widths = {size for parameter in probe.plain.named_parameters().values() for size in parameter.shape}
    while len(every.support) < 5:
        every = joined(every, every)
    count = next((n for n in range(len(every.support), 2, -1) if n not in sizes | widths), len(every.support))
    return EpisodeBatch(*(part[:count] for part in every))


def _calls(probe: Probe, batch: EpisodeBatch) -> dict[str, tuple[nn.Module, Call]]:
    """The first call of every module of the environment side and of the terms in a step's forward pass, by name; the
    sequence side gives what it gave for the probe's own episodes, again and again."""
    clone = probe.behind()
    calls: dict[str, tuple[nn.Module, Call]] = {}
    handles = []
    for name, module in _modules(clone):

        def keep(
            called: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], key: str = name
        ) -> None:
            calls.setdefault(key, (called, (arguments, named)))

        handles.append(module.register_forward_pre_hook(keep, with_kwargs=True))
    with torch.random.fork_rng(devices=[]):
        parts = (clone.draws, clone.index, clone.reference, clone.memory)
        step = clone.measuring(batch, *parts, warm=False, sides=_repeated(probe, len(batch.support))).step
        for term, _ in clone.weighted:
            term(step, clone.states[term.key])
    for handle in handles:
        handle.remove()
    return calls


def _repeated(probe: Probe, count: int) -> Sides:
    """What stands for the sequence side of `count` episodes."""
    episodes = len(probe.batch.support)
    order = torch.arange(count, device=probe.device) % episodes

    def repeated(part: Tensor) -> Tensor:
        return part.unflatten(0, (episodes, -1))[order].flatten(0, 1)

    return Sides(*(SequenceOutput(*map(repeated, output)) for output in probe.sides))


def _modules(clone: Trainer) -> Iterator[tuple[str, nn.Module]]:
    """Modules inside the environment side and inside terms; a term itself compares episodes, and is none."""
    for name, module in clone.model.environment.named_modules(prefix="environment"):
        yield name, module
    for term, _ in clone.weighted:
        for name, module in term.named_modules(prefix=f"loss.{term.key}"):
            if module is not term:
                yield name, module


def _rows(module: nn.Module, call: Call, count: int) -> list[Tensor]:
    """What it gives, where every tensor of it has a row per episode."""
    arguments, named = call
    if not any(_is_row(part, count) for part in _tensors((*arguments, *named.values()))):
        return []
    output = [part for part in parts_of(module(*arguments, **named)) if part.ndim]
    return [part.clone() for part in output] if all(len(part) == count for part in output) else []


def _changed(call: Call, count: int) -> Call:
    """The same arguments with other numbers in one episode."""
    arguments, named = call
    return (
        tuple(_other(part, count) for part in arguments),
        {name: _other(part, count) for name, part in named.items()},
    )


def _other(part: Any, count: int) -> Any:
    if isinstance(part, Tensor) and _is_row(part, count):
        other = part.detach().clone()
        other[CHANGED] = 1 - 1.5 * other[CHANGED]
        return other
    if is_dataclass(part) and not isinstance(part, type | Step):
        values = {each.name: vars(part)[each.name] for each in fields(part)}
        return replace(part, **{name: _other(value, count) for name, value in values.items()})
    if isinstance(part, tuple):
        others = [_other(value, count) for value in part]
        return tuple(others) if type(part) is tuple else type(part)(*others)
    return part


def _tensors(parts: Any) -> Iterator[Tensor]:
    for part in parts:
        if isinstance(part, Tensor):
            yield part
        elif is_dataclass(part) and not isinstance(part, type | Step):
            yield from _tensors([vars(part)[each.name] for each in fields(part)])
        elif isinstance(part, tuple):
            yield from _tensors(part)


def _is_row(part: Tensor, count: int) -> bool:
    return part.is_floating_point() and part.ndim > 0 and len(part) == count
