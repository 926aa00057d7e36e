"""A sequence side that was trained before and is frozen: z_I of a pair is looked up, and U_I is made of it as ever."""

import sys
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from models.part import ModelPart
from models.sequence.kan import FourierKAN
from models.sequence.potential import SequenceOutput, Tables
from models.sequence.tokens import NULL_BASE
from models.sequence.windows import Windows
from models.streams import Composed, Noise

DIGITS = 4
"""Bytes of a number that stands for the windows of a pair, in the order of this machine."""
NULL = int.from_bytes(bytes([NULL_BASE] * DIGITS), sys.byteorder)
"""What null windows begin with, read as such a number."""


class Answers(Protocol):
    """What the frozen sequence side gave, pair by pair."""

    @property
    def width(self) -> int:
        """d, the dimension of z_I."""
        ...

    def of(self, numbers: Tensor) -> Tensor:
        """z_I float32 [B, d] of pairs by their numbers, int64 [B]; -1 stands for a pair of null windows."""
        ...


class FrozenPotential(ModelPart, Composed):
    """U_I = FourierKAN(z_I), z_I as `answers` have it: what trains is the energy head, from its own initialisation.

    In place of base codes it is given the number of a pair, on both sides alike: uint8 [B, >= 4], of which the first four
    are the number's bytes; null windows stand for themselves. There is no gradient to z_I, no dropout before it, and no
    price of a bottleneck (kl = 0).

    Raises
    ------
    LookupError
        for sides of different pairs, which the frozen side has never read together.
    """

    group = "S"
    keys: ClassVar = frozenset({"grid", "nonnegative"})
    """Keys of the block `model` that it is built from."""
    streams: ClassVar = {"energy": "energy"}
    dual: ClassVar[None] = None
    information: ClassVar[None] = None

    def __init__(self, answers: Answers, *, grid: int, nonnegative: bool = False) -> None:
        super().__init__()
        self.answers, self.halved = answers, False
        self.features = answers.width
        self.energy = FourierKAN(self.features, grid, nonnegative=nonnegative)

    def tables(self) -> Tables:
        """There is no stem."""
        return {}

    def forward(
        self,
        enhancer: Tensor | Windows,
        promoter: Tensor | Windows,
        noise: Noise | None = None,
        *,
        tables: Tables | None = None,
        batch: int | None = None,
    ) -> SequenceOutput:
        """Looked up all at once, so that `tables` and `batch`, which spare a stem work, have nothing to spare."""
        enhancer, promoter = Windows.of(enhancer).of_pairs(), Windows.of(promoter).of_pairs()
        numbers = numbers_of(enhancer)
        if not torch.equal(enhancer[:, :DIGITS], promoter[:, :DIGITS]):
            raise LookupError(
                "a frozen sequence side knows pairs of the data, and was asked for two sides of different ones"
            )
        z_i = self.answers.of(numbers).to(self.energy.cosine)
        return SequenceOutput(z_i, self.energy(z_i), z_i, z_i.new_zeros(len(z_i)))


def numbers_of(side: Tensor) -> Tensor:
    """Numbers int64 [B] of pairs that stand for their windows uint8 [B, >= 4]; -1 of null windows."""
    numbers = side[:, :DIGITS].contiguous().view(torch.int32)[:, 0].long()
    return torch.where(numbers == NULL, -1, numbers)
