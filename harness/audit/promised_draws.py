"""The numbers that chance gives a step, by the definition of its streams and nothing of their code."""

import hashlib

import torch
from torch import Tensor


def stream(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded with the first 63 bits of the BLAKE2b hash of seed and names, one unit separator between two."""
    text = "\x1f".join(map(str, (seed, *names)))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest, "big") // 2)


def below_seed(seed: int, *names: str) -> int:
    """Seed of the stream of that name, which other streams may lie below."""
    return stream(seed, *names).initial_seed()


def kept(seed: int, module: str, step: int, like: Tensor, rate: float) -> Tensor:
    """Bool of the shape of `like`: entries that dropout of that rate leaves, in a module at a step of a unit."""
    source = stream(below_seed(seed, "dropout"), "dropout", module, step, device=like.device)
    return torch.rand(like.shape, generator=source, device=like.device) < 1.0 - rate


def normal(seed: int, module: str, step: int, like: Tensor) -> Tensor:
    """Standard normal numbers of the shape of `like`, in a module at a step of a unit."""
    source = stream(below_seed(seed, "dropout"), "normal", module, step, device=like.device)
    return torch.randn(like.shape, generator=source, device=like.device)


def hidden(seed: int, step: int, episodes: int, share: float) -> Tensor:
    """Bool [E] on the CPU: episodes of a step that hide the name of their cell line."""
    return torch.rand(episodes, generator=stream(seed, "pseudo_unseen", step)) < share


def shown(seed: int, step: int, episodes: int, size: int) -> Tensor:
    """Bool [E, S] on the CPU: support pairs of a step whose labels are shown, where any is."""
    return torch.rand(episodes, size, generator=stream(seed, "label_dropout", step)) < 0.5
