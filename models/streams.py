"""Separate random streams per (seed, name): adding a mechanism does not reshuffle the others.

Streams are stateless: the seed of a draw is a hash of what the draw is for (seed, purpose, module name, step),
so that a resumed run needs no generator state to continue with the same numbers.
"""

import hashlib
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn


def stream_seed(seed: int, *names: str | int) -> int:
    """63-bit seed of the stream that (seed, *names) identifies; a BLAKE2b hash, equal on every machine."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


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
    """Masks drawn from the stream (seed, "dropout", module name, step), normal numbers from (seed, "normal", ...)."""

    def __init__(self, seed: int, step: int) -> None:
        self.seed = seed
        self.step = step

    def mask(self, name: str, like: Tensor, keep: float) -> Tensor:
        source = generator(self.seed, "dropout", name, self.step, device=like.device)
        return (torch.rand(like.shape, generator=source, device=like.device) < keep).to(like.dtype)

    def normal(self, name: str, like: Tensor) -> Tensor:
        source = generator(self.seed, "normal", name, self.step, device=like.device)
        return torch.randn(like.shape, generator=source, device=like.device).to(like.dtype)


class RecordedNoise:
    """Masks and normal numbers given by module name: the way in for `torch.func.vmap`, where no generator can be used."""

    def __init__(self, masks: Mapping[str, Tensor]) -> None:
        self.masks = masks

    def mask(self, name: str, like: Tensor, keep: float) -> Tensor:
        return self.masks[name].to(like.dtype)

    def normal(self, name: str, like: Tensor) -> Tensor:
        return self.masks[name].to(like.dtype)


class Dropout(nn.Module):
    """y = x * mask / (1 - p), mask ~ Bernoulli(1 - p) from the given noise; y = x when noise is None or p = 0.

    `name_streams` gives each instance its qualified name; each instance draws at most once per forward pass.
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
        return x * noise.mask(self.stream, x, 1.0 - self.p) / (1.0 - self.p)


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


def name_streams(model: nn.Module) -> None:
    """Give every Dropout and GaussianNoise below `model` its qualified name as the name of its stream."""
    for name, module in model.named_modules():
        if isinstance(module, Dropout | GaussianNoise):
            module.stream = name or "root"


def initialise(model: nn.Module, seed: int) -> None:
    """Re-initialise every module from its own stream (seed, "init", qualified name) and name the streams.

    Every module that directly owns parameters must have `reset_parameters()` drawing from torch's global
    generator; a module without one raises TypeError, so that no parameter keeps a construction-time value.
    """
    for name, module in model.named_modules():
        if not any(True for _ in module.parameters(recurse=False)):
            continue
        reset = getattr(module, "reset_parameters", None)
        if reset is None:
            raise TypeError(
                f"module '{name}' ({type(module).__name__}) owns parameters but has no reset_parameters"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(seed, "init", name))
            reset()
    name_streams(model)
