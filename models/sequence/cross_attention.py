"""M06: plain bidirectional cross attention, the documented baseline."""

from typing import cast

import torch
from torch import Tensor, nn

from models.registry import EVERYWHERE
from models.sequence.feed_forward import FeedForward
from models.sequence.interaction import INTERACTIONS, Interaction
from models.sequence.masking import masked_mean
from models.sequence.rope import MultiHeadAttention
from models.streams import Dropout, Noise


class CrossAttentionBlock(nn.Module):
    """side <- side + Dropout(Attention(LN side, LN other)); side <- side + Dropout(FFN(LN side)).

    Shapes: side [B, P, d], other [B, Q, d], mask of other [B, Q] -> [B, P, d].
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.own_norm, self.other_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.dropout = MultiHeadAttention(width, heads), Dropout(dropout)
        self.feed_norm, self.feed, self.feed_dropout = (
            nn.LayerNorm(width),
            FeedForward(width),
            Dropout(dropout),
        )

    def forward(self, side: Tensor, other: Tensor, m_other: Tensor, noise: Noise | None) -> Tensor:
        read = self.attention(self.own_norm(side), self.other_norm(other), m_other[:, None])
        side = side + self.dropout(read, noise)
        out: Tensor = side + self.feed_dropout(self.feed(self.feed_norm(side)), noise)
        return out


@INTERACTIONS.register(
    "cross_attention",
    id="M06",
    name="plain bidirectional cross attention",
    equation="z_I = W [mean_p Block(E <- P); mean_p Block(P <- E)], both directions from the same layer below",
    shapes="h_E [B, P_e, d], h_P [B, P_p, d], masks [B, P] -> z_I [B, d]",
    source="documented baseline cross_attention",
)
class CrossAttention(Interaction):
    """Every block lets each side read the other as it was below; then masked means and one linear map.

    Raises ValueError when the width does not split into heads of even width, or blocks < 1.
    """

    acts = EVERYWHERE
    reads = frozenset({"enhancer", "promoter"})
    keys = frozenset({"width", "heads", "blocks", "dropout"})
    reads_every_window = True
    joint = ("enhancer_reads", "promoter_reads")

    def __init__(self, width: int, heads: int, blocks: int, dropout: float) -> None:
        super().__init__()
        if blocks < 1:
            raise ValueError(f"cross_attention needs at least 1 block, got {blocks}")
        self.enhancer_reads = nn.ModuleList(CrossAttentionBlock(width, heads, dropout) for _ in range(blocks))
        self.promoter_reads = nn.ModuleList(CrossAttentionBlock(width, heads, dropout) for _ in range(blocks))
        self.join = nn.Linear(2 * width, width)

    def forward(
        self, h_e: Tensor, m_e: Tensor, h_p: Tensor, m_p: Tensor, noise: Noise | None = None
    ) -> Tensor:
        for enhancer_reads, promoter_reads in zip(self.enhancer_reads, self.promoter_reads, strict=True):
            h_e, h_p = enhancer_reads(h_e, h_p, m_p, noise), promoter_reads(h_p, h_e, m_e, noise)
        return cast(Tensor, self.join(torch.cat([masked_mean(h_e, m_e), masked_mean(h_p, m_p)], dim=-1)))
