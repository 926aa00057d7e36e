"""M03 and M04: CBAT, bidirectional cross attention through anchors, and its block."""

import torch
from torch import Tensor, nn

from models.registry import EVERYWHERE
from models.sequence.anchors import Anchors, DirectionGate, TemperedPooling
from models.sequence.conv_pyramid import ConvPyramid
from models.sequence.feed_forward import FeedForward
from models.sequence.interaction import INTERACTIONS, Interaction
from models.sequence.reach import Reach
from models.sequence.rope import MultiHeadAttention
from models.sequence.soft_sparse import SoftSparseAttention
from models.sequence.tempered_gate import TemperedGate
from models.streams import Dropout, Noise


class CbatBlock(nn.Module):
    """One CBAT block on the sequence x = [other side; K anchors; reading side].

    x <- x + Pyramid(LN x)                         depthwise convolutions inside each side
    y  = RoPE attention(LN x) within the window    x <- x + Gate_1(x, Dropout y)
    x <- x + Dropout(SoftSparse(LN x))             all allowed pairs, column bias
    y  = FFN(LN x)                                 x <- x + Gate_2(x, Dropout y)

    Shapes: x [B, N, d], N = P_other + K + P in `segments`; valid [B, N] in {0, 1}; position [B, N]; near and
    allowed: the reach of both attentions -> [B, N - start, d], the rows from `start` on (0 or P_other: the rows
    before are computed no further than others read them). Source: rp01 to rp04.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.pyramid_norm, self.pyramid = nn.LayerNorm(width), ConvPyramid(width)
        self.window_norm, self.window_attention = nn.LayerNorm(width), MultiHeadAttention(width, heads)
        self.window_dropout, self.window_gate = Dropout(dropout), TemperedGate(width)
        self.sparse_norm, self.sparse_attention = nn.LayerNorm(width), SoftSparseAttention(width, heads)
        self.sparse_dropout = Dropout(dropout)
        self.feed_norm, self.feed = nn.LayerNorm(width), FeedForward(width)
        self.feed_dropout, self.feed_gate = Dropout(dropout), TemperedGate(width)

    def forward(
        self,
        x: Tensor,
        valid: Tensor,
        near: Reach,
        allowed: Reach,
        position: Tensor,
        segments: tuple[int, int, int],
        start: int,
        noise: Noise | None,
    ) -> Tensor:
        x = x + self.pyramid(self.pyramid_norm(x), valid, segments)
        y = self.window_attention.within(self.window_norm(x), near, position)
        x = x + self.window_gate(x, self.window_dropout(y, noise))
        y = self.sparse_norm(x)
        y = self.sparse_attention.within(y[:, start:], y, valid, allowed)
        x = x[:, start:] + self.sparse_dropout(y, noise)
        y = self.feed(self.feed_norm(x))
        out: Tensor = x + self.feed_gate(x, self.feed_dropout(y, noise))
        return out


def centred_positions(mask: Tensor) -> Tensor:
    """Window numbers counted from the centre of the sequence that the mask shows: [B, P] -> [B, P].

    The sequence ends at its last valid window, so that padding does not move it; all-null rows count from 0.
    """
    index = torch.arange(mask.shape[1], dtype=mask.dtype, device=mask.device)
    length = (mask * (index + 1.0)).amax(dim=1, keepdim=True)
    return index - (length - 1.0).clamp_min(0.0) / 2.0


class CbatDirection(nn.Module):
    """One direction: a side reads the other one, in blocks over [other; anchors; side], then tempered pooling of it.

    Both sides are centred on position 0 and so are the anchors; a window attends to windows at most `window`
    away and to the anchors, which see everything. Windows of the side never attend to each other: what they learn
    comes from the other side. Shapes: side [B, P, d], other [B, Q, d], 0/1 masks -> z [B, d]. Source: rp04.
    """

    def __init__(
        self, width: int, heads: int, blocks: int, anchors: int, window: int, dropout: float
    ) -> None:
        super().__init__()
        self.window = window
        self.anchors = Anchors(width, anchors)
        self.segment = nn.Parameter(torch.empty(3, width))
        self.blocks = nn.ModuleList(CbatBlock(width, heads, dropout) for _ in range(blocks))
        self.pooling = TemperedPooling(width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.segment, std=0.02)

    def forward(
        self, side: Tensor, m_side: Tensor, other: Tensor, m_other: Tensor, noise: Noise | None
    ) -> Tensor:
        anchors = self.anchors(other, m_other)
        segments = (other.shape[1], anchors.shape[1], side.shape[1])
        x = torch.cat([part + self.segment[i] for i, part in enumerate((other, anchors, side))], dim=1)
        always = torch.ones_like(anchors[..., 0])
        valid = torch.cat([m_other, always, m_side], dim=1)
        position = torch.cat([centred_positions(m_other), 0.0 * always, centred_positions(m_side)], dim=1)
        near = Reach.of(self._reach(valid, position, segments)[1], segments[2], x.dtype)
        allowed = Reach.of(valid[:, None], segments[2], x.dtype)
        last = len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            # Nothing reads the other side after the last block.
            start = segments[0] if number == last else 0
            x = block(x, valid, near, allowed, position, segments, start, noise)
        anchors, side = x.split(segments[1:], dim=1)
        z: Tensor = self.pooling(side, m_side, anchors)
        return z

    def _reach(
        self, valid: Tensor, position: Tensor, segments: tuple[int, int, int]
    ) -> tuple[Tensor, Tensor]:
        """allowed: valid keys, none of the side for its own windows; near: within the window too, or of an anchor."""
        other, anchors, side = segments
        part = torch.cat(
            [torch.full((n,), i, device=valid.device) for i, n in enumerate((other, anchors, side))]
        )
        cross = ~((part[:, None] == 2) & (part[None] == 2))
        anchored = (part[:, None] == 1) | (part[None] == 1)
        allowed = cross & (valid[:, None] > 0)
        close = (position[:, :, None] - position[:, None]).abs() <= self.window
        return allowed, allowed & (close | anchored)


@INTERACTIONS.register(
    "cbat",
    id="M03",
    name="CBAT cross attention with anchors",
    equation="z_I = g CBAT(E <- P) + (1 - g) CBAT(P <- E), g = sigmoid(W [z_E; z_P]) (M04)",
    shapes="h_E [B, P_e, d], h_P [B, P_p, d], masks [B, P] -> z_I [B, d]",
    source="rp01 to rp04",
)
class Cbat(Interaction):
    """Both directions of CBAT, joined by the direction gate.

    z_I = DirectionGate(CbatDirection(E <- P), CbatDirection(P <- E)). Raises ValueError when the width does not
    split into heads of even width, or a count is below 1.
    """

    acts = EVERYWHERE
    reads = frozenset({"enhancer", "promoter"})
    keys = frozenset({"width", "heads", "blocks", "anchors", "window", "dropout"})
    reads_every_window = True
    joint = ("enhancer_reads", "promoter_reads")

    def __init__(
        self, width: int, heads: int, blocks: int, anchors: int, window: int, dropout: float
    ) -> None:
        super().__init__()
        if blocks < 1 or window < 1:
            raise ValueError(f"cbat needs at least 1 block and a window of 1, got {blocks} and {window}")
        self.enhancer_reads = CbatDirection(width, heads, blocks, anchors, window, dropout)
        self.promoter_reads = CbatDirection(width, heads, blocks, anchors, window, dropout)
        self.direction = DirectionGate(width)

    def forward(
        self, h_e: Tensor, m_e: Tensor, h_p: Tensor, m_p: Tensor, noise: Noise | None = None
    ) -> Tensor:
        enhancer = self.enhancer_reads(h_e, m_e, h_p, m_p, noise)
        promoter = self.promoter_reads(h_p, m_p, h_e, m_e, noise)
        z_i: Tensor = self.direction(enhancer, promoter)
        return z_i
