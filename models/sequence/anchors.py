"""M04: anchors from the other side, tempered pooling, and the gate over the two directions."""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.declared import POSITIVE, declare
from models.registry import EVERYWHERE
from models.sequence.masking import masked_mean, masked_softmax
from models.sequence.tempered_gate import SOFTPLUS_ONE


class Anchors(nn.Module):
    """a_k = W_k mean(other side) + b_k, k = 1..K: a summary of the other side that every window may attend to.

    Shapes: other [B, P, d], mask [B, P] -> [B, K, d]; an all-null other side gives b_k. Source: rp04 (K = 2).
    """

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        if count < 1:
            raise ValueError(f"the number of anchors must be at least 1, got {count}")
        self.count = count
        self.project = nn.Linear(width, count * width)

    def forward(self, other: Tensor, mask: Tensor) -> Tensor:
        return cast(Tensor, self.project(masked_mean(other, mask)).unflatten(-1, (self.count, -1)))


class TemperedPooling(nn.Module):
    """z = sum_p softmax_p(<W_k h_p, W_q a> / (tau sqrt(d))) h_p, tau = softplus(<w, a> + ln(e - 1)) + 0.05.

    a is the mean anchor, and the temperature is predicted from it (1.05 at a = 0): low tau reads single windows,
    high tau averages the side. Shapes: h [B, P, d], mask [B, P], anchors [B, K, d] -> z [B, d]; zero
    for an all-null side. Source: rp04.
    """

    FLOOR = 0.05

    def __init__(self, width: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, width)
        self.query = nn.Linear(width, width)
        self.raw_temperature = nn.Linear(width, 1, bias=False)

    def temperature(self, anchors: Tensor) -> Tensor:
        """tau [B, 1] > 0."""
        raw: Tensor = self.raw_temperature(anchors.mean(dim=1))
        return F.softplus(raw + SOFTPLUS_ONE) + self.FLOOR

    def forward(self, h: Tensor, mask: Tensor, anchors: Tensor) -> Tensor:
        query = self.query(anchors.mean(dim=1))
        # <W h + b, q> = <h, W' q> + <b, q>, so that no map of every window is made.
        score = (h * (query @ self.key.weight)[:, None]).sum(-1) + (query @ self.key.bias)[:, None]
        weight = masked_softmax(score / (math.sqrt(h.shape[-1]) * self.temperature(anchors)), mask)
        return (weight[..., None] * h).sum(dim=1)


class DirectionGate(nn.Module):
    """z_I = g z_E<-P + (1 - g) z_P<-E, g = sigmoid(W [z_E<-P; z_P<-E]) per channel.

    Shapes: two [B, d] -> [B, d]. Source: rp04.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(2 * width, width)

    def forward(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        gate = torch.sigmoid(self.weigh(torch.cat([enhancer, promoter], dim=-1)))
        return gate * enhancer + (1.0 - gate) * promoter


declare(
    "M04", "anchors", kind="anchors", name="anchors, tempered pooling, direction gate",
    when={"model.encoder": "cbat", "model.anchors": POSITIVE},
    equation="a_k = W_k mean(other) + b_k; z = softmax(<W h, W a> / (tau sqrt d)) h; "
        "z_I = g z_E<-P + (1 - g) z_P<-E",
    shapes="other [B, P, d] -> anchors [B, K, d]; side [B, P, d] -> z [B, d]", source="rp04", group="S",
    cls=Anchors,
    acts=EVERYWHERE, reads=frozenset({"enhancer", "promoter"}),
    kept="it is the part of CBAT in which the two sides meet, and goes with it",
)  # fmt: skip
