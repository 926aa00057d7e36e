"""What a stem makes of sequences, by its equation and nothing of its code: what comes behind it has to be given that."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.sequence.potential import SequencePotential
from models.sequence.stem import KmerStem
from models.sequence.tokens import KMER, NULL_BASE

NEAR = 1e-4
"""Difference from the equation, relative to the largest feature, that the order of a sum may make."""
SIDES = ("enhancer", "promoter")


class StemOutput(NamedTuple):
    """Features h [B, P, d] of pooling windows, and which of them hold something, mask [B, P] in {0, 1}."""

    h: Tensor
    mask: Tensor


def strange_stem(sequence: SequencePotential, side: int, bases: Tensor, heard: StemOutput) -> str:
    """How what was `heard` behind the stem of a side differs from what it makes of `bases` [B, L], in words; empty where it
    does not."""
    made, name = _output(sequence, SIDES[side], bases), SIDES[side]
    if heard.mask.shape != made.mask.shape or not torch.equal(heard.mask > 0, made.mask > 0):
        told, wanted = int((heard.mask > 0).sum()), int(made.mask.sum())
        return (
            f"{told} pooling windows of the {name} are read of some pairs, and {wanted} of them hold a k-mer"
        )
    there = made.mask > 0
    gap = float((heard.h.double() - made.h)[there].abs().max()) if bool(there.any()) else 0.0
    largest = float(made.h[there].abs().max()) if bool(there.any()) else 0.0
    if gap <= NEAR * largest:
        return ""
    return f"features of the {name} behind the stem differ by {gap:.2g} from its equation, the largest is {largest:.2g}"


def _output(sequence: SequencePotential, name: str, bases: Tensor) -> StemOutput:
    """LayerNorm(mean over strands of max over a window of ReLU(Conv1d(Embedding(k-mers)))) in float64, without dropout; a
    strand that has nothing in a window takes no part there."""
    stem = sequence.stems["both" if sequence.share_sides else name]
    assert isinstance(stem, KmerStem)
    # Twice turned, N at the beginning are padding: which of two strands is the other one must not count.
    other = _other_strand(bases)
    strands = [_other_strand(other), other] if sequence.share_strands else [bases]
    peaks, masks = zip(*(_peaks(stem, strand) for strand in strands), strict=True)
    count = sum(masks)
    assert isinstance(count, Tensor)
    mean = sum(peak * mask[..., None] for peak, mask in zip(peaks, masks, strict=True))
    assert isinstance(mean, Tensor)
    mean = mean / count.clamp(min=1.0)[..., None]
    norm = stem.norm
    scale, shift = norm.weight.double(), norm.bias.double()
    h = (mean - mean.mean(-1, keepdim=True)) / (mean.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt()
    return StemOutput(h * scale + shift, count.clamp(max=1.0))


def _peaks(stem: KmerStem, bases: Tensor) -> tuple[Tensor, Tensor]:
    """Largest ReLU of the convolution within each window, and 1 where a position of it sees a k-mer of real bases."""
    words = bases.long().unfold(1, KMER, 1)
    real = (words < NULL_BASE).all(2)
    number = (words * NULL_BASE ** torch.arange(KMER - 1, -1, -1, device=bases.device)).sum(2)
    embedded = stem.embedding.double()[torch.where(real, number, 0)] * real[..., None]
    # A position sees as many k-mers as the kernel is long, itself first; behind the end there is nothing.
    beyond = (0, 0, 0, stem.kernel - 1)
    active = F.relu(
        F.conv1d(F.pad(embedded, beyond).transpose(1, 2), stem.weight.double(), stem.bias.double())
    )
    sees = F.max_pool1d(F.pad(real.double(), (0, stem.kernel - 1))[:, None], stem.kernel, stride=1)
    peaks = F.max_pool1d(active * sees, stem.pool, ceil_mode=True)
    return peaks.transpose(1, 2), F.max_pool1d(sees, stem.pool, ceil_mode=True)[:, 0]


def _other_strand(bases: Tensor) -> Tensor:
    """Each row read from the end of its bases, complemented; what follows its last base stays behind."""
    turned = torch.full_like(bases, NULL_BASE)
    for row, before in zip(turned, bases, strict=True):
        places = (before < NULL_BASE).nonzero()
        end = int(places.max()) + 1 if len(places) else 0
        strand = before[:end].long()
        row[:end] = torch.where(strand < NULL_BASE, 3 - strand, strand).flip(0).to(bases.dtype)
    return turned
