"""k-mer tokens of base-coded sequences, and the reverse complement that keeps padding on the right."""

import torch
from torch import Tensor

NULL_BASE = 4
"""Base code of N and of padding; A, C, G, T are 0 to 3."""

KMER = 6
"""k-mer length of the documented models."""


def null_token(k: int = KMER) -> int:
    """Token of a k-mer that holds N or padding: 4^k, one past the last real k-mer."""
    return 4**k


def kmer_tokens(bases: Tensor, k: int = KMER) -> Tensor:
    """token[p] = sum_j 4^(k-1-j) base[p+j], or 4^k (null) where any of the k bases is N or padding.

    Shapes: bases [B, L] of an integer dtype (A C G T = 0..3, anything above is null) -> int64 [B, L-k+1].
    An empty batch gives an empty result. Source: the documented 6-mer vocabulary.

    Raises
    ------
    ValueError
        when the sequences are shorter than k, or `bases` is not [B, L].
    """
    if bases.dim() != 2:
        raise ValueError(f"bases must be [batch, length], got shape {tuple(bases.shape)}")
    length = bases.shape[1]
    if length < k:
        raise ValueError(f"sequences of {length} bp hold no {k}-mer: at least {k} bp are needed")
    positions = length - k + 1
    # A null base counts as a whole 4^k, so that no code with one is less; int32 holds all sums of up to 8 bases.
    digits = bases.to(torch.int32 if k <= 8 else torch.int64)
    digits = digits.masked_fill(digits >= NULL_BASE, null_token(k))
    code = digits[:, :positions]
    for j in range(1, k):
        code = torch.add(digits[:, j : j + positions], code, alpha=4)
    return code.clamp_max(null_token(k)).long()


def reverse_complement(bases: Tensor) -> Tensor:
    """The other strand, read 5' to 3', with the null run at the right end left where it is.

    base'[i] = complement(base[n-1-i]) for i < n, null for i >= n, where n is one past the last base that is
    not null. Shapes: integer [B, L] -> same dtype [B, L]. N stays N (inside the sequence it moves with its
    position); an all-null row is returned as it is. An involution for sequences that do not start with N; for
    those, leading N become trailing nulls, that is, padding.
    """
    length = bases.shape[1]
    position = torch.arange(length, device=bases.device)
    size = ((bases < NULL_BASE) * (position + 1)).amax(dim=1, keepdim=True)
    source = size - 1 - position
    turned = bases.gather(1, source.clamp_min(0).expand(bases.shape))
    complement = torch.where(turned < NULL_BASE, 3 - turned.clamp_max(3), NULL_BASE)
    return torch.where(source >= 0, complement, NULL_BASE).to(bases.dtype)
