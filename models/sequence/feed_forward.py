"""The position-wise feed-forward part of every attention block."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn


class FeedForward(nn.Module):
    """FFN(x) = W_2 GELU(W_1 x), hidden width 2 d; [..., d] -> [..., d]. Source: Vaswani et al. 2017."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.contract(F.gelu(self.expand(x))))
