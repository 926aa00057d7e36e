"""From pair indices to tensors, and the sequence side over many pairs."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.data.dataset import EncodedDataset
from models.prism import PrismModel
from models.sequence.potential import SequenceOutput, Tables
from models.sequence.windows import Windows
from models.streams import Noise


class Encoded(NamedTuple):
    """U_I [N], z_I [N, d] and environment stream [N, d] (what the environment sees of a pair) of N pairs, no gradient."""

    u: Tensor
    z_i: Tensor
    stream: Tensor


def windows_of(dataset: EncodedDataset, pairs: np.ndarray, device: torch.device) -> tuple[Windows, Windows]:
    """Enhancers and promoters of the pairs (flattened), for the device."""
    flat = np.asarray(pairs).reshape(-1)
    (_, enhancer_row), (_, promoter_row) = dataset.inputs
    enhancer = _windows(flat, enhancer_row[flat], dataset.enhancer_bases, device)
    return enhancer, _windows(flat, promoter_row[flat], dataset.promoter_bases, device)


def bases(dataset: EncodedDataset, pairs: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Base codes uint8 [B, L_e] and [B, L_p] of the pairs (flattened) on the device."""
    enhancer, promoter = windows_of(dataset, pairs, device)
    return enhancer.of_pairs(), promoter.of_pairs()


def _windows(
    pairs: np.ndarray, rows: np.ndarray, bases: Callable[[np.ndarray], np.ndarray], device: torch.device
) -> Windows:
    """Of pairs with these rows of a side's matrix, whose `bases` are asked for by a pair."""
    _, first, row = np.unique(rows, return_index=True, return_inverse=True)

    def read(numbers: Tensor) -> Tensor:
        chosen = pairs[first[numbers.cpu().numpy()]]
        return torch.from_numpy(bases(chosen)).to(device, non_blocking=True)

    return Windows(torch.from_numpy(row).to(device), len(first), read)


def forward(
    model: PrismModel,
    dataset: EncodedDataset,
    pairs: np.ndarray,
    device: torch.device,
    noise: Noise | None = None,
    *,
    tables: Tables | None = None,
    batch: int | None = None,
) -> SequenceOutput:
    """The sequence side of the pairs; `tables` and `batch`: see `SequencePotential.forward`."""
    sides = windows_of(dataset, pairs, device)
    output: SequenceOutput = model.sequence(*sides, noise, tables=tables, batch=batch)
    return output


@torch.no_grad()
def encode_pairs(
    model: PrismModel,
    dataset: EncodedDataset,
    pairs: np.ndarray,
    device: torch.device,
    batch: int,
) -> Encoded:
    """One sequence pass per pair in evaluation mode, `batch` pairs at a time, and one per window of any number of pairs;
    empty input gives empty tensors."""
    output = forward(model, dataset, pairs, device, batch=batch)
    return Encoded(output.u, output.z_i, output.stream if model.dual_stream else output.z_i)
