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
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Conv1d(width, width, scale, padding=scale // 2, groups=width) for scale in SCALES
        )
        self.mix = nn.Linear(len(SCALES) * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        image = (x * mask[..., None]).transpose(1, 2)
        responses = torch.cat([F.gelu(scale(image)) for scale in self.scales], dim=1)
        return cast(Tensor, self.mix(responses.transpose(1, 2)))
