"""Separate random streams per (seed, name): adding a mechanism does not reshuffle the others.

Streams are stateless: the seed of a draw is a hash of what the draw is for (seed, purpose, declared name, step),
so that a resumed run needs no generator state to continue with the same numbers.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import ClassVar, Protocol, TypeGuard, runtime_checkable

import torch
from torch import Tensor, nn


def stream_seed(seed: int, *names: str | int) -> int:
    """63-bit seed of the stream that (seed, *names) identifies; a BLAKE2b hash, equal on every machine."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def other_streams(seed: int, word: str) -> int:
    """The seed under which every stream has another name: seed itself for the empty word."""
    return stream_seed(seed, "streams", word) if word else seed


def generator(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator at the start of the stream (seed, *names)."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, *names))


class Noise(Protocol):
    """Where the random numbers of a forward pass come from. `None` in place of a Noise means: none (evaluation)."""

    def mask(self, name: str, like: Tensor, keep: float) -> Tensor:
        """0/1 mask of the shape, dtype and device of `like`, each entry 1 with probability `keep`."""
        ...

    def normal(self, name: str, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape, dtype and device of `like`."""
        ...


class SeededNoise:
    """Masks drawn from the stream (seed, "dropout", declared name, step), normal numbers from (seed, "normal", ...)."""

    def __init__(self, seed: int, step: int) -> None:
        self.seed = seed
        self.step = step

    def mask(self, name: str, like: Tensor, keep: float) -> Tensor:
        source = generator(self.seed, "dropout", name, self.step, device=like.device)
        return torch.rand(like.shape, generator=source, device=like.device).lt_(keep).to(like.dtype)

    def normal(self, name: str, like: Tensor) -> Tensor:
        source = generator(self.seed, "normal", name, self.step, device=like.device)
        return torch.randn(like.shape, generator=source, device=like.device).to(like.dtype)


class Dropout(nn.Module):
    """y = x * mask / (1 - p), mask ~ Bernoulli(1 - p) from the given noise; y = x when noise is None or p = 0.

    `name_streams` gives each instance its declared name; each instance draws at most once per forward pass.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"dropout probability {p} is not in [0, 1)")
        self.p = p
        self.stream = ""

    def forward(self, x: Tensor, noise: Noise | None) -> Tensor:
        if noise is None or self.p == 0.0:
            return x
        if not self.stream:
            raise RuntimeError("Dropout has no stream name: call name_streams on the finished model")
        # The mask is scaled and not the product, whose gradient would be scaled once more.
        return x * (noise.mask(self.stream, x, 1.0 - self.p) / (1.0 - self.p))


class GaussianNoise(nn.Module):
    """y = mu + sigma eps, eps ~ N(0, I) from the given noise; y = mu when noise is None.

    Shapes: mu, sigma [..., d] -> [..., d]. Named by `name_streams`; draws at most once per forward pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stream = ""

    def forward(self, mu: Tensor, sigma: Tensor, noise: Noise | None) -> Tensor:
        if noise is None:
            return mu
        if not self.stream:
            raise RuntimeError("GaussianNoise has no stream name: call name_streams on the finished model")
        return mu + sigma * noise.normal(self.stream, mu)


@runtime_checkable
class Resettable(Protocol):
    """A module that draws its parameters anew."""

    def reset_parameters(self) -> None:
        """Draw them from torch's global generator."""


class Composed(nn.Module):
    """A module that declares the stream names of the parts that it is composed of.

    `streams`: attribute -> name, "" for a part that adds nothing to the names below it. A part that is renamed or moved
    to another attribute keeps its name here, and with it its random numbers. Other modules name a part as its attribute.
    """

    streams: ClassVar[Mapping[str, str]]


_RESETTABLE: dict[type[nn.Module], bool] = {}


def drawing(model: nn.Module) -> dict[str, nn.Module]:
    """The modules below `model` that draw random numbers (parameters of their own, Dropout, GaussianNoise) by the names
    of their streams.

    Raises
    ------
    TypeError
        for a part of a Composed that has no declared name.
    ValueError
        for two modules that draw under one name.
    """
    drawers: dict[str, nn.Module] = {}
    for name, module in _named(model, "", set()):
        parameters = module._parameters.values()  # noqa: SLF001  # the public way walks the tree below each module again
        owns = any(parameter is not None for parameter in parameters)
        if owns or isinstance(module, Dropout | GaussianNoise):
            if name in drawers:
                kinds = " and ".join(type(each).__name__ for each in (drawers[name], module))
                raise ValueError(f"two modules draw from the stream '{name}': {kinds}")
            drawers[name] = module
    return drawers


def _named(module: nn.Module, name: str, met: set[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """Every module once, in the order of `named_modules`, by its declared name."""
    met.add(module)
    yield name, module
    for attribute, part in module.named_children():
        if part in met:
            continue
        local = attribute
        if isinstance(module, Composed):
            if attribute not in module.streams:
                raise TypeError(f"{type(module).__name__} declares no stream name for its part '{attribute}'")
            local = module.streams[attribute]
        yield from _named(part, ".".join(filter(None, (name, local))), met)


def name_streams(model: nn.Module) -> None:
    """Give every Dropout and GaussianNoise below `model` the declared name of its stream."""
    _named_streams(drawing(model))


def _named_streams(drawers: Mapping[str, nn.Module]) -> None:
    for name, module in drawers.items():
        if isinstance(module, Dropout | GaussianNoise):
            module.stream = name or "root"


def initialise(model: nn.Module, seed: int) -> None:
    """Re-initialise every module from its own stream (seed, "init", declared name) and name the streams.

    A module that directly owns parameters and is not Resettable raises TypeError, so that no parameter keeps a
    construction-time value.
    """
    drawers = drawing(model)
    with torch.random.fork_rng(devices=[]):
        for name, module in drawers.items():
            if isinstance(module, Dropout | GaussianNoise):
                continue
            if not _is_resettable(module):
                raise TypeError(
                    f"module '{name}' ({type(module).__name__}) owns parameters but has no reset_parameters"
                )
            # The CPU's generator alone: torch.manual_seed keeps a stack trace per call for a GPU that draws nothing here.
            torch.default_generator.manual_seed(stream_seed(seed, "init", name))
            module.reset_parameters()
    _named_streams(drawers)


def _is_resettable(module: nn.Module) -> TypeGuard[Resettable]:
    """Whether a module is Resettable, asked once of each class: a look at a protocol goes through all of its attributes."""
    kind = type(module)
    if kind not in _RESETTABLE:
        _RESETTABLE[kind] = isinstance(module, Resettable)
    return _RESETTABLE[kind]
