"""The multi-scale depthwise convolution pyramid of CBAT (part of M03)."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALES = (7, 15, 31)
"""Kernel sizes of the pyramid in pooled windows."""


class ConvPyramid(nn.Module):
    """y = W concat_s GELU(DepthwiseConv_s(mask * x)), s in (7, 15, 31), same length, zeros beyond the ends.

    Masked windows enter as zeros, so that padding equals the end of the sequence. Shapes: x [B, P, d], mask
    [B, P] in {0, 1} -> [B, P, d]. P may be shorter than a kernel. Source: rp01 to rp04.

    The three convolutions of a channel are one product with its banded P x P matrices: P is a few tens at most,
    where that is several times as fast as torch's depthwise convolution, forward and backward.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Conv1d(width, width, scale, padding=scale // 2, groups=width) for scale in SCALES
        )
        self.mix = nn.Linear(len(SCALES) * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, width = x.shape
        image = (x * mask[..., None]).permute(2, 0, 1)
        band = self._bands(length).permute(1, 2, 0, 3).reshape(width, length, -1)
        bias = torch.stack([cast(Tensor, scale.bias) for scale in self.scales], dim=1)
        responses = torch.bmm(image, band).view(width, batch, len(SCALES), length)
        responses = F.gelu(responses + bias[:, None, :, None])
        return cast(Tensor, self.mix(responses.permute(1, 3, 2, 0).reshape(batch, length, -1)))

    def _bands(self, length: int) -> Tensor:
        """[scale, d, P, P]: entry (q, p) is the tap by which input window q enters output window p."""
        widest = max(SCALES)
        taps = torch.stack(
            [
                F.pad(cast(Tensor, scale.weight)[:, 0], ((widest - size) // 2, (widest - size) // 2 + 1))
                for scale, size in zip(self.scales, SCALES, strict=True)
            ]
        )
        window = torch.arange(length, device=taps.device)
        tap = window[:, None] - window[None] + widest // 2
        # One product with which tap is where: the backward pass of an indexed read is several times as slow.
        place = torch.arange(widest + 1, device=taps.device)[:, None, None] == tap
        return (taps @ place.to(taps.dtype).flatten(1)).unflatten(-1, (length, length))
