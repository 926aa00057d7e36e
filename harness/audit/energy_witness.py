"""What really arrives in a trial's energy and leaves it while pairs are scored, seen from inside the model."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.energy.base import Energy

Rows = np.ndarray
"""float32 [N, 4]: u, r, t, logit of pairs."""


class EnergyWitness:
    """Sees every call of an energy without gradients on pairs u [D, N], of which it keeps the first support draw.

    It changes no value. Not listened to are a copy of the energy that is deep-copied with its hooks, and what loss terms
    ask of it at other resistances [..., E, 1] than one per support draw.
    """

    def __init__(self, energy: Energy) -> None:
        seen: list[tuple[Tensor, ...]] = []

        def hook(module: torch.nn.Module, arguments: tuple[Any, ...], logit: Any) -> None:
            if module is energy and not torch.is_grad_enabled() and logit.ndim == arguments[1].ndim == 2:
                seen.append(tuple(part[0].detach() for part in (*arguments, logit)))

        self._seen = seen
        energy.register_forward_hook(hook)

    def take(self) -> Rows:
        """The rows since the last time."""
        parts = [torch.stack([part.expand(len(call[-1])) for part in call], 1) for call in self._seen]
        self._seen.clear()
        rows = torch.cat(parts) if parts else torch.empty(0, 4)
        return np.ascontiguousarray(rows.float().cpu().numpy())


def unseen_rows(stored: Rows, consumed: Rows) -> np.ndarray:
    """Which of the rows `stored` [N] never passed through the energy, bit by bit."""
    kind = np.dtype((np.void, 4 * np.dtype(np.float32).itemsize))
    # -0 and 0 are one number.
    one, other = (
        np.ascontiguousarray(rows + np.float32(0)).view(kind).ravel() for rows in (stored, consumed)
    )
    return ~np.isin(one, other)
