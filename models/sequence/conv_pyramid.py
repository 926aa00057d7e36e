"""The multi-scale depthwise convolution pyramid of CBAT (part of M03)."""

from functools import lru_cache
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

    `segments`: lengths of parts of x, in their order, each of which ends where the next begins as at the end of the
    sequence (None: all of x is one).

    The three convolutions of a channel are one product with its banded matrices, over tiles of windows where the
    side is long: several times as fast as torch's depthwise convolution, forward and backward. The channel comes first
    and the sample last, so that the linear map reads what the products give as it lies in memory.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Conv1d(width, width, scale, padding=scale // 2, groups=width) for scale in SCALES
        )
        self.mix = nn.Linear(len(SCALES) * width, width)

    def forward(self, x: Tensor, mask: Tensor, segments: tuple[int, ...] | None = None) -> Tensor:
        segments = segments or (x.shape[1],)
        x = x * mask[..., None]
        if x.shape[1] <= TILE:
            return self._tiled(x, segments)
        return torch.cat([self._tiled(part, (part.shape[1],)) for part in x.split(segments, 1)], dim=1)

    def _tiled(self, x: Tensor, segments: tuple[int, ...]) -> Tensor:
        """Of x whose masked windows are zeros, in several tiles where it is one segment alone."""
        batch, length, width = x.shape
        tiles = -(-length // TILE)
        size = -(-length // tiles)
        halo = max(SCALES) // 2 if tiles > 1 else 0
        image = x.permute(2, 1, 0)
        if tiles > 1:
            image = F.pad(image, (0, 0, halo, halo + tiles * size - length)).unfold(1, size + 2 * halo, size)
            image = image.permute(0, 3, 1, 2).flatten(2)
            segments = (size,)
        bands = self._bands(segments, halo).permute(1, 0, 3, 2).flatten(1, 2)
        bias = torch.stack([cast(Tensor, scale.bias) for scale in self.scales], dim=1)
        # In its own order: of one that is not, a batched product is made channel by channel.
        responses = torch.bmm(bands, image.contiguous()).view(width * len(SCALES), -1)
        responses = F.gelu(responses.view(width, len(SCALES), -1) + bias[..., None]).view_as(responses)
        mixed = torch.addmm(
            self.mix.bias,
            responses.T,
            self.mix.weight.unflatten(1, (len(SCALES), -1)).transpose(1, 2).flatten(1).T,
        )
        if tiles == 1:
            return mixed.view(length, batch, width).transpose(0, 1)
        return mixed.view(size, tiles, batch, width).permute(2, 1, 0, 3).flatten(1, 2)[:, :length]

    def _bands(self, segments: tuple[int, ...], halo: int) -> Tensor:
        """[scale, d, n + 2 halo, n], n windows in all segments: entry (q, p) is the tap by which input q - halo enters
        output p, none of another segment."""
        widest = max(SCALES)
        taps = torch.stack(
            [
                F.pad(cast(Tensor, scale.weight)[:, 0], ((widest - width) // 2, (widest - width) // 2))
                for scale, width in zip(self.scales, SCALES, strict=True)
            ]
        )
        place = tap_places(segments, halo, taps.device)
        # One product with which tap is where: the backward pass of an indexed read is several times as slow.
        return (taps @ place.to(taps.dtype).flatten(1)).unflatten(-1, place.shape[1:])


@lru_cache(maxsize=32)
def tap_places(segments: tuple[int, ...], halo: int, device: torch.device) -> Tensor:
    """bool [31, n + 2 halo, n]: whether tap k of the widest kernel is what input q - halo enters output p by; a halo is of
    a single segment."""
    widest, size = max(SCALES), sum(segments)
    source = torch.arange(size + 2 * halo, device=device) - halo + widest // 2
    tap = source[:, None] - torch.arange(size, device=device)
    place = torch.arange(widest, device=device)[:, None, None] == tap
    if len(segments) == 1:
        return place
    part = torch.cat([torch.full((n,), i, device=device) for i, n in enumerate(segments)])
    return place & (part[:, None] == part)
