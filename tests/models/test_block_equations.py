"""Equations of whole blocks against their parts, put together as they are written: M03, M06 and the Set Transformer."""

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.environment.set_encoders import AttentionBlock, InducedEncoder
from models.sequence.cbat import Cbat
from models.sequence.cnn import Cnn
from models.sequence.cross_attention import CrossAttention, CrossAttentionBlock
from models.sequence.potential import SequencePotential
from models.sequence.rope import RotarySelfAttention
from models.sequence.stem import KmerStem
from models.sequence.tokens import kmer_tokens
from models.streams import initialise
from tests.typed import as_a

D, H = 8, 2
M = TypeVar("M", bound=nn.Module)


def made(module: M, seed: int = 0) -> M:
    initialise(module.double(), seed)
    return module


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def sides() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """h_E, m_E, h_P, m_P of two pairs, the first of which has a masked window on each side."""
    m_e, m_p = torch.ones(2, 5, dtype=torch.float64), torch.ones(2, 4, dtype=torch.float64)
    m_e[0, 4], m_p[0, 3] = 0.0, 0.0
    return normal(2, 5, D), m_e, normal(2, 4, D, seed=2), m_p


def test_cnn_joins_mean_and_maximum_of_each_side() -> None:
    cnn = made(Cnn(D, 0.1))
    h_e, m_e, h_p, m_p = sides()
    rows = []
    for pair in range(2):
        e, p = h_e[pair][m_e[pair] > 0], h_p[pair][m_p[pair] > 0]
        pooled = torch.cat([e.mean(0), e.max(0).values, p.mean(0), p.max(0).values])
        rows.append(cnn.out(F.gelu(cnn.hidden(pooled))))
    torch.testing.assert_close(cnn(h_e, m_e, h_p, m_p), torch.stack(rows))


def test_cross_attention_lets_each_side_read_the_other_below() -> None:
    cross = made(CrossAttention(D, H, blocks=2, dropout=0.1))
    h_e, m_e, h_p, m_p = sides()
    e, p = h_e, h_p
    for reads_p, reads_e in zip(cross.enhancer_reads, cross.promoter_reads, strict=True):
        below = e, p
        updated = []
        for part, (side, other, mask) in ((reads_p, (*below, m_p)), (reads_e, (*below[::-1], m_e))):
            block = as_a(CrossAttentionBlock, part)
            x = side + block.attention(block.own_norm(side), block.other_norm(other), mask[:, None])
            updated.append(x + block.feed(block.feed_norm(x)))
        e, p = updated
    means = [(h * m[..., None]).sum(1) / m.sum(1, keepdim=True) for h, m in ((e, m_e), (p, m_p))]
    torch.testing.assert_close(cross(h_e, m_e, h_p, m_p), cross.join(torch.cat(means, -1)))


def test_cbat_gates_between_its_two_directions() -> None:
    cbat = made(Cbat(D, H, blocks=1, anchors=2, window=2, dropout=0.1))
    h_e, m_e, h_p, m_p = sides()
    e = cbat.enhancer_reads(h_e, m_e, h_p, m_p, None)
    p = cbat.promoter_reads(h_p, m_p, h_e, m_e, None)
    gate = torch.sigmoid(cbat.direction.weigh(torch.cat([e, p], -1)))
    torch.testing.assert_close(cbat(h_e, m_e, h_p, m_p), gate * e + (1 - gate) * p)
    assert not torch.allclose(e, cbat.enhancer_reads(h_e, m_e, h_e, m_e, None))


def looped(block: AttentionBlock, x: Tensor, y: Tensor) -> Tensor:
    """MAB(x, y) of one set, head by head and query by query."""
    q, k, v = block.query(x), block.key(y), block.value(y)
    part, rows = q.shape[-1] // 4, []
    for query in q:
        heads = [slice(at * part, (at + 1) * part) for at in range(4)]
        mixed = torch.cat([torch.softmax(k[:, h] @ query[h] / math.sqrt(part), 0) @ v[:, h] for h in heads])
        inner = block.norm_attention(query + mixed)
        rows.append(block.norm_feed(inner + torch.relu(block.feed(inner))))
    return torch.stack(rows)


def test_set_transformer_against_loops() -> None:
    encoder = made(InducedEncoder(inputs=3, width=4, inducing=3))
    x = normal(2, 6, 3)
    for episode in range(2):
        h = encoder.enter(x[episode])
        for block in (encoder.first, encoder.second):
            h = looped(block.spread, h, looped(block.gather, block.points, h))
        wanted = encoder.out(looped(encoder.pool.block, encoder.pool.seed, h)[0])
        torch.testing.assert_close(encoder(x)[episode], wanted)


def test_the_sequence_side_is_stem_attention_interaction_and_kan() -> None:
    sizes = {"embedding": 4, "kernel": 3, "width": D, "pool": 4, "dropout": 0.1, "heads": H, "grid": 3}
    sharing = {"share_sides": False, "share_strands": False}
    potential = made(SequencePotential(Cnn(D, 0.1), self_attention_layers=1, **sizes, **sharing))  # type: ignore[arg-type]
    draw = torch.Generator().manual_seed(3)
    read: list[Tensor] = []
    for name, layers in (
        ("enhancer", potential.enhancer_attention),
        ("promoter", potential.promoter_attention),
    ):
        bases = torch.randint(0, 4, (2, 30), generator=draw)
        h, mask = as_a(KmerStem, potential.stems[name]).plain(kmer_tokens(bases))
        read += [bases, as_a(RotarySelfAttention, layers[0])(h, mask), mask]
    z_i = potential.interaction(read[1], read[2], read[4], read[5])
    output = potential(read[0], read[3])
    torch.testing.assert_close(output.z_i, z_i)
    torch.testing.assert_close(output.u, potential.energy(z_i))
