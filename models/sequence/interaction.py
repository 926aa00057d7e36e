"""The one interface by which the two sides meet, and the registry of its implementations."""

from abc import abstractmethod

from torch import Tensor, nn

from models.registry import Registry
from models.streams import Noise


class Interaction(nn.Module):
    """z_I = f(h_E, m_E, h_P, m_P): features [B, P_e, d], [B, P_p, d] and their 0/1 masks -> [B, d].

    Every implementation is finite for all-null sides and unchanged by more masked windows on the right.
    """

    @abstractmethod
    def forward(
        self, h_e: Tensor, m_e: Tensor, h_p: Tensor, m_p: Tensor, noise: Noise | None = None
    ) -> Tensor:
        """z_I of every pair."""


INTERACTIONS: Registry[Interaction] = Registry("encoder")
