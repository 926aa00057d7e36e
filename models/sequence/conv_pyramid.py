"""The multi-scale depthwise convolution pyramid of CBAT (part of M03)."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALES = (7, 15, 31)
"""Kernel sizes of the pyramid in pooled windows."""

TILE = 72
"""Most windows that one product with a banded matrix gives."""


class ConvPyramid(nn.Module):
    """y = W concat_s GELU(DepthwiseConv_s(mask * x)), s in (7, 15, 31), same length, zeros beyond the ends.

    Masked windows enter as zeros, so that padding equals the end of the sequence. Shapes: x [B, P, d], mask
    [B, P] in {0, 1} -> [B, P, d]. P may be shorter than a kernel. Source: rp01 to rp04.

    The three convolutions of a channel are one product with its banded matrices, over tiles of windows where the
    side is long: several times as fast as torch's depthwise convolution, forward and backward.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Conv1d(width, width, scale, padding=scale // 2, groups=width) for scale in SCALES
        )
        self.mix = nn.Linear(len(SCALES) * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, width = x.shape
        # In its own order: of one that is not, a batched product is made channel by channel.
        image = (x * mask[..., None]).permute(2, 0, 1).contiguous()
        tiles = -(-length // TILE)
        size = -(-length // tiles)
        halo = max(SCALES) // 2 if tiles > 1 else 0
        if tiles > 1:
            image = F.pad(image, (halo, halo + tiles * size - length)).unfold(2, size + 2 * halo, size)
        bands = self._bands(size, halo).permute(1, 2, 0, 3).reshape(width, size + 2 * halo, -1)
        bias = torch.stack([cast(Tensor, scale.bias) for scale in self.scales], dim=1)
        responses = torch.bmm(image.reshape(width, batch * tiles, -1), bands)
        responses = F.gelu(responses.view(width, -1, len(SCALES), size) + bias[:, None, :, None])
        responses = responses.permute(1, 3, 2, 0).reshape(batch, tiles * size, -1)
        return cast(Tensor, self.mix(responses[:, :length]))

    def _bands(self, size: int, halo: int) -> Tensor:
        """[scale, d, size + 2 halo, size]: entry (q, p) is the tap by which input q - halo enters output p."""
        widest = max(SCALES)
        taps = torch.stack(
            [
                F.pad(cast(Tensor, scale.weight)[:, 0], ((widest - width) // 2, (widest - width) // 2))
                for scale, width in zip(self.scales, SCALES, strict=True)
            ]
        )
        source = torch.arange(size + 2 * halo, device=taps.device) - halo + widest // 2
        tap = source[:, None] - torch.arange(size, device=taps.device)
        # One product with which tap is where: the backward pass of an indexed read is several times as slow.
        place = torch.arange(widest, device=taps.device)[:, None, None] == tap
        return (taps @ place.to(taps.dtype).flatten(1)).unflatten(-1, tap.shape)
