"""From pair indices to tensors, and the sequence side over many pairs."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.data.dataset import EncodedDataset
from models.prism import PrismModel
from models.sequence.potential import SequenceOutput


class Encoded(NamedTuple):
    """U_I [N], z_I [N, d] and environment stream [N, d] (what the environment sees of a pair) of N pairs, no gradient."""

    u: Tensor
    z_i: Tensor
    stream: Tensor


def bases(dataset: EncodedDataset, pairs: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Base codes uint8 [B, L_e] and [B, L_p] of the pairs (flattened) on the device."""
    flat = np.asarray(pairs).reshape(-1)
    enhancer = torch.from_numpy(dataset.enhancer_bases(flat))
    promoter = torch.from_numpy(dataset.promoter_bases(flat))
    return enhancer.to(device, non_blocking=True), promoter.to(device, non_blocking=True)


def forward(
    model: PrismModel,
    dataset: EncodedDataset,
    pairs: np.ndarray,
    device: torch.device,
    noise: object = None,
) -> SequenceOutput:
    """The sequence side of the pairs."""
    output: SequenceOutput = model.sequence(*bases(dataset, pairs, device), noise)
    return output


@torch.no_grad()
def encode_pairs(
    model: PrismModel,
    dataset: EncodedDataset,
    pairs: np.ndarray,
    device: torch.device,
    batch: int,
) -> Encoded:
    """One sequence pass per pair in evaluation mode, `batch` pairs at a time; empty input gives empty tensors."""
    u, z_i = [torch.empty(0, device=device)], [torch.empty(0, model.features, device=device)]
    stream = [torch.empty(0, model.features, device=device)]
    for start in range(0, len(pairs), batch):
        output = forward(model, dataset, pairs[start : start + batch], device)
        u.append(output.u)
        z_i.append(output.z_i)
        if model.dual_stream:
            stream.append(output.stream)
    features = torch.cat(z_i)
    return Encoded(torch.cat(u), features, torch.cat(stream) if model.dual_stream else features)
