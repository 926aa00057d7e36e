"""A ring of rows of earlier steps, as explicit state: the cross-batch memory bank."""

from collections.abc import Mapping

import torch
from torch import Tensor


def write_ring(
    columns: Mapping[str, Tensor], pointer: Tensor, rows: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], Tensor]:
    """Write n rows at the pointer of a ring of B places, over the oldest; returns new columns and pointer.

    columns: name -> [B, ...]; rows: the same names -> [n, ...], stored without gradient in the columns'
    dtype; pointer: long scalar, the place of the next row. Of more than B rows the last B are kept; B = 0
    or n = 0 change nothing. Written as a gather, so that a pointer batched by vmap works.
    """
    size = next(iter(columns.values())).shape[0]
    count = next(iter(rows.values())).shape[0]
    if size == 0 or count == 0:
        return dict(columns), pointer
    kept = min(count, size)
    source = (torch.arange(size, device=pointer.device) - pointer) % size
    fresh = source < kept
    take = source.clamp(max=kept - 1)
    written = {}
    for name, column in columns.items():
        row = rows[name].detach()[count - kept :].to(column.dtype)[take]
        written[name] = torch.where(fresh.reshape(-1, *[1] * (column.ndim - 1)), row, column)
    return written, (pointer + kept) % size
