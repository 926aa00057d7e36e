"""Output channels of the sequence side's matrices: the groups of structured sparsity (M07)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.sequence.kan import FourierKAN
from models.sequence.stem import KmerStem


class Channels(NamedTuple):
    """norm [n]: ||w_o||_2 of every output channel, with gradient; size [n]: its number p_o of weights, same dtype."""

    norm: Tensor
    size: Tensor


def output_channels(sequence: nn.Module) -> Channels:
    """Norm and size of the weights of every output channel of every matrix below `sequence`.

    Linear maps and convolutions (the k-mer stem's too) have one group per filter; a Fourier KAN one per hidden unit,
    cosine and sine coefficients together. No group is made of what has no output channel: the k-mer embedding,
    segment vectors, biases, norms, temperatures, the rotation of a dual stream. The gradient of a channel at exactly
    0 is 0. NaN weights give a NaN norm; a module without any matrix gives empty tensors.
    """
    norms, sizes = [torch.zeros(0)], [torch.zeros(0)]
    for module in sequence.modules():
        if isinstance(module, FourierKAN):
            rows = torch.cat([module.cosine.flatten(1), module.sine.flatten(1)], 1)
        elif isinstance(module, nn.Linear | nn.Conv1d | KmerStem):
            rows = module.weight.flatten(1)
        else:
            continue
        norms.append(torch.linalg.vector_norm(rows, dim=1))
        sizes.append(torch.full_like(norms[-1], rows.shape[1], requires_grad=False))
    if len(norms) > 1:
        norms, sizes = norms[1:], sizes[1:]
    return Channels(torch.cat(norms), torch.cat(sizes).detach())
