"""The one interface by which the two sides meet, and the registry of its implementations."""

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from models.part import ModelPart
from models.registry import Registry, Settings
from models.sizes import Sizes
from models.streams import Noise


class Interaction(ModelPart):
    """z_I = f(h_E, m_E, h_P, m_P): features [B, P_e, d], [B, P_p, d] and their 0/1 masks -> [B, d].

    Every implementation is finite for all-null sides and unchanged by more masked windows on the right.
    """

    acts: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    """Where it acts and what it reads (`models.registry`)."""
    group = "S"
    keys: ClassVar[frozenset[str]]
    """Keys of the block `model` that it is built from."""
    reads_every_window: ClassVar[bool] = False
    """Whether each window of either side counts as it is built, before training teaches it what to pass over."""
    joint: ClassVar[tuple[str, ...]] = ()
    """Parts, or lists of parts, each of which reads both sides."""

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        """Constructor arguments: its keys of the block `model`."""
        return {key: value for key, value in settings["model"].items() if key in cls.keys}

    @abstractmethod
    def forward(
        self, h_e: Tensor, m_e: Tensor, h_p: Tensor, m_p: Tensor, noise: Noise | None = None
    ) -> Tensor:
        """z_I of every pair."""


INTERACTIONS: Registry[Interaction] = Registry(
    "encoder", Interaction, path="model.encoder", group=Interaction.group, plain="cnn"
)
