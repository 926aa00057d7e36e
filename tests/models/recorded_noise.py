"""Noise for `torch.func.vmap`, where no generator can be used."""

from collections.abc import Mapping

from torch import Tensor


class RecordedNoise:
    """Masks and normal numbers by the declared name of the module that asks for them."""

    def __init__(self, numbers: Mapping[str, Tensor]) -> None:
        self.numbers = numbers

    def mask(self, name: str, like: Tensor, keep: float) -> Tensor:
        return self.numbers[name].to(like.dtype)

    def normal(self, name: str, like: Tensor) -> Tensor:
        return self.numbers[name].to(like.dtype)
