"""M02: multi-head attention with rotary positions, and the self-attention block of one side."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.declared import POSITIVE, declare
from models.registry import EVERYWHERE
from models.sequence.attend import attend
from models.sequence.feed_forward import FeedForward
from models.sequence.masking import mask_bias
from models.sequence.reach import Reach
from models.streams import Dropout, Noise

BASE = 10_000.0
"""Wavelength base of the rotary angles."""


def rotate(x: Tensor, position: Tensor) -> Tensor:
    """Rotary embedding: the pair (x_2i, x_2i+1) is turned by the angle position * BASE^(-2i/D).

    <rotate(q, m), rotate(k, n)> depends on positions through m - n only. Shapes: x [B, H, L, D] with D even,
    position [B, L] or [1, L] (real numbers, in pooled windows) -> [B, H, L, D]. Source: Su et al. 2021.
    """
    return turned(x, turns(position, x.shape[-1], x.dtype)[:, None])


def turns(position: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """exp(i angle) of all pairs, complex: [B, L] -> [B, L, D / 2]; for numbers of `dtype`."""
    # Angles in at least float32: bfloat16 has too few bits for positions beyond about a hundred windows.
    position = position.to(torch.promote_types(dtype, torch.float32))
    half = width // 2
    rate = BASE ** (-torch.arange(half, dtype=position.dtype, device=position.device) / half)
    angle = position[..., None] * rate
    return torch.polar(torch.ones_like(angle), angle)


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """The pairs of x [..., D] as complex numbers times turn [..., D / 2], in the type of x."""
    pairs = torch.view_as_complex(x.to(turn.real.dtype).unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)


def head_width(width: int, heads: int) -> int:
    """width / heads; ValueError unless that is an even whole number (rotary pairs)."""
    if heads < 1 or width % heads or (width // heads) % 2:
        raise ValueError(f"width {width} does not split into {heads} heads of even width")
    return width // heads


class MultiHeadAttention(nn.Module):
    """out_i = W_o concat_h sum_j softmax_j(<q_i, k_j> / sqrt(D)) v_j over the allowed j.

    With positions given, queries and keys are rotated first. Shapes: query [B, L, d], source [B, M, d], allowed
    [B, L or 1, M] in {0, 1}, positions [B or 1, L] and [B or 1, M] -> [B, L, d]. A query that may attend to
    nothing gets W_o's bias: finite. Source: Vaswani et al. 2017, Su et al. 2021.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        head_width(width, heads)
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def project(
        self, query: Tensor, source: Tensor, positions: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(q / sqrt(D) [B, H, L, D], k [B, H, M, D], v [B, H, M, D]), q and k rotated when positions are given."""
        width = self.query.out_features
        root = math.sqrt(width // self.heads)
        rows = self.query.weight / root, self.query.bias / root
        if query is source:
            every = torch.cat([rows[0], self.key_value.weight]), torch.cat([rows[1], self.key_value.bias])
            q, k, v = F.linear(query, *every).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        else:
            q = F.linear(query, *rows).unflatten(-1, (self.heads, -1))
            k, v = self.key_value(source).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        if positions is not None:
            turn = turns(positions[0], q.shape[-1], q.dtype)[:, :, None]
            q = turned(q, turn)
            if positions[1] is not positions[0]:
                turn = turns(positions[1], k.shape[-1], k.dtype)[:, :, None]
            k = turned(k, turn)
        # In their own order, which every product with them would bring them into for itself.
        q, k, v = (part.transpose(1, 2).contiguous() for part in (q, k, v))
        return q, k, v

    def collect(self, scores: Tensor, allowed: Tensor, values: Tensor) -> Tensor:
        """W_o concat_h softmax(scores [B, H, L, M] among allowed [B, L or 1, M]) @ values [B, H, M, D].

        The scores are used up: the mask is added in place.
        """
        scores += mask_bias(allowed, scores.dtype)[:, None]
        weights = torch.softmax(scores, dim=-1)
        some = (allowed != 0).any(-1, keepdim=True)
        out: Tensor = self.out((weights @ values).transpose(1, 2).flatten(-2) * some)
        return out

    def forward(
        self, query: Tensor, source: Tensor, allowed: Tensor, positions: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        q, k, v = self.project(query, source, positions)
        read = attend(q, k, v, mask_bias(allowed, q.dtype)[:, None])
        some = (allowed != 0).any(-1, keepdim=True)
        out: Tensor = self.out(read.transpose(1, 2).flatten(-2) * some)
        return out

    def within(self, x: Tensor, reach: Reach, position: Tensor) -> Tensor:
        """Self-attention of x [B, N, d] at `position` [B or 1, N], without the scores that `reach` leaves out."""
        read = reach.read(*self.project(x, x, (position, position)))
        out: Tensor = self.out(read.transpose(1, 2).flatten(-2))
        return out


class RotarySelfAttention(nn.Module):
    """M02: h <- h + Dropout(Attention(LN h)) with rotary positions; h <- h + Dropout(FFN(LN h)).

    Shapes: h [B, P, d], mask [B, P] in {0, 1} -> [B, P, d]; masked windows are never attended to. An all-null
    side stays finite. Source: rp01 and later (4 heads).
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads)
        self.dropout = Dropout(dropout)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = FeedForward(width)
        self.feed_dropout = Dropout(dropout)

    def forward(self, h: Tensor, mask: Tensor, noise: Noise | None = None) -> Tensor:
        position = torch.arange(h.shape[1], dtype=h.dtype, device=h.device)[None]
        x = self.norm(h)
        h = h + self.dropout(self.attention(x, x, mask[:, None], (position, position)), noise)
        out: Tensor = h + self.feed_dropout(self.feed(self.feed_norm(h)), noise)
        return out


declare(
    "M02", "self_attention", kind="self-attention", name="rotary self-attention per side",
    when={"model.self_attention_layers": POSITIVE},
    equation="h <- h + Attention(LN h) with <R_m q, R_n k>; h <- h + FFN(LN h)",
    shapes="h [B, P, d], mask [B, P] -> [B, P, d]", source="rp01 and later; Su et al. 2021", group="S",
    cls=RotarySelfAttention,
    acts=EVERYWHERE, reads=frozenset({"enhancer", "promoter"}),
    without={"model.self_attention_layers": 0},
)  # fmt: skip
