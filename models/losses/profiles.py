"""Similarity of cell lines in a representation, independent of its coordinates."""

import torch
from torch import Tensor


def profile_alignment(z: Tensor, line: Tensor, reference: Tensor, met: Tensor) -> tuple[Tensor, Tensor]:
    """Similarity of episodes to the other lines: cosines [E, C] of centred representations, and which count.

    z [E, w], line [E], reference [C, w] (running means, no gradient), met [C] 0/1 -> (cosine [E, C], other [E, C]
    0/1). The centre is the mean of the lines met; the line of the episode itself and lines not met do not count.
    """
    centre = (met @ reference) / met.sum().clamp(min=1)
    episodes, known = z - centre, reference - centre
    lengths = [(part.square().sum(-1) + 1e-12).sqrt() for part in (episodes, known)]
    cosine = (episodes @ known.T) / (lengths[0].unsqueeze(1) * lengths[1])
    lines = torch.arange(reference.shape[0], device=z.device)
    other = met * (lines != line.unsqueeze(1)).to(met.dtype)
    return cosine, other


def alike(first: Tensor, second: Tensor, other: Tensor) -> Tensor:
    """Cosine [E] of two similarity profiles [E, C] over the lines where other [E, C] is 1; 0 where there is none."""
    product = (other * first * second).sum(1)
    size = ((other * first.square()).sum(1) * (other * second.square()).sum(1) + 1e-12).sqrt()
    return product / size
