"""What chance adds to a step in training and to nothing else: dropout, hidden names, labels of support pairs."""

from typing import Protocol

import torch
from torch import Tensor

from models.streams import Noise, SeededNoise, generator, stream_seed

LABELS_SHOWN = 0.5
"""Share of support pairs whose labels are shown under `support.labels`."""


class Draws(Protocol):
    """What is drawn for step `index` of a trial."""

    def noise(self, index: int) -> Noise | None:
        """Masks and normal numbers of the query pairs' sequence side; None: as in evaluation."""
        ...

    def hidden(self, cell: Tensor, index: int) -> Tensor | None:
        """Bool [E]: episodes of cell lines `cell` that hide the name (M29); None where none ever does."""
        ...

    def shown(self, label: Tensor, index: int) -> Tensor:
        """0/1 of the shape of `label` [E, S]: support pairs whose label the environment sees."""
        ...


class TrainingDraws:
    """Each from its own stream of (seed, name, step): names hide with chance `pseudo_unseen`, half of the support labels
    are shown where `labels` are configured at all."""

    def __init__(self, seed: int, *, pseudo_unseen: float, labels: bool) -> None:
        self.seed, self.pseudo_unseen, self.labels = seed, pseudo_unseen, labels

    def noise(self, index: int) -> Noise | None:
        return SeededNoise(stream_seed(self.seed, "dropout"), index)

    def hidden(self, cell: Tensor, index: int) -> Tensor | None:
        if self.pseudo_unseen == 0.0:
            return None
        draw = torch.rand(cell.shape, generator=generator(self.seed, "pseudo_unseen", index))
        return (draw < self.pseudo_unseen).to(cell.device)

    def shown(self, label: Tensor, index: int) -> Tensor:
        if not self.labels:
            return torch.zeros_like(label)
        source = generator(self.seed, "label_dropout", index)
        return (torch.rand(label.shape, generator=source) < LABELS_SHOWN).to(label)


class NoDraws:
    """A step as prediction sees its pairs: no dropout, every name known, no label shown."""

    def noise(self, index: int) -> Noise | None:
        return None

    def hidden(self, cell: Tensor, index: int) -> Tensor | None:
        return None

    def shown(self, label: Tensor, index: int) -> Tensor:
        return torch.zeros_like(label)
