"""Exact evaluation of embedding -> convolution -> windowed maximum by table folding (definitions, Stem).

Embedding and convolution are both linear in the token, so their composition is one table
T[v, t] = W_t E[v], and a convolution output is a sum of `kernel` rows of it. Only the winning position of
each pooling window and channel receives gradient, so the backward scatter touches 1/window of the positions.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

CACHE_BYTES = 12 * 2**20
"""Slice of the table that one sweep over the positions reads; larger ones fall out of the last-level cache."""

BLOCK_BYTES = 24 * 2**20
"""Upper bound of the convolution outputs held at once, before pooling: above some 30 MB the system clears new pages for
every tensor."""

INDEX_ENTRIES = 2**18
"""Row numbers handed to one embedding_bag call."""

ON_GPU = 16
"""Times as much of each where memory is a GPU's, whose kernels want more work at once."""


def fold_table(embedding: Tensor, weight: Tensor) -> Tensor:
    """T[v, t, c] = sum_e weight[c, e, t] embedding[v, e], and T[null] = 0 as the last row.

    Shapes: embedding [V, e], weight [d, e, kernel] (as in Conv1d) -> [V+1, kernel, d]. Differentiable by
    ordinary autograd. Cost: V e kernel d multiply-adds, once per step whatever the batch.
    """
    width, _, kernel = weight.shape
    taps = weight.permute(2, 0, 1).reshape(kernel * width, -1)
    return (F.pad(embedding, (0, 0, 0, 1)) @ taps.T).view(-1, kernel, width)


def folded_max(tokens: Tensor, valid: Tensor, table: Tensor, pool: int) -> Tensor:
    """peak[b, w, c] = max over valid p in window w of sum_t table[tokens[b, p+t], t, c]; -inf if none is.

    Shapes: tokens int64 [B, n+kernel-1], valid bool [B, n], table [V+1, kernel, d] -> [B, ceil(n/pool), d].
    The last, partial window is kept. Ties go to the first position, as in MaxPool1d. Differentiable once, in
    `table`; works under torch.func.vmap and grad.
    """
    peak: Tensor = FoldedMax.apply(tokens, valid, table, pool)[0]
    return peak


class FoldedMax(Function):
    """(tokens, valid, table, pool) -> (peak, winner): `folded_max` with the winning positions."""

    @staticmethod
    def forward(tokens: Tensor, valid: Tensor, table: Tensor, pool: int) -> tuple[Tensor, Tensor]:
        samples, positions = valid.shape
        width = table.shape[2]
        more = ON_GPU if table.is_cuda else 1
        block = max(1, more * BLOCK_BYTES // max(1, positions * width * table.element_size()))
        if _group(table) == table.shape[1]:  # sums that one sweep makes are taken as they come
            block = min(block, _batch(positions, table))
        parts = [
            _windowed_max(_sums(tokens[i : i + block], valid[i : i + block], table), pool)
            for i in range(0, samples, block)
        ]
        if not parts:
            empty = table.new_empty(0, -(-positions // pool), width)
            return empty, empty.long()
        return torch.cat([peak for peak, _ in parts]), torch.cat([winner for _, winner in parts])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        tokens, _, table, _ = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(tokens, output[1])
        ctx.rows, ctx.kernel = table.shape[-3], table.shape[-2]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor, None]:
        tokens, winner = ctx.saved_tensors
        return None, None, WinnerScatter.apply(grads[0], tokens, winner, ctx.rows, ctx.kernel), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        """All units in one call: their samples one after the other, their tables as one whose rows do not meet."""
        units, (*_, pool) = info.batch_size, inputs
        tokens, valid, table = (
            x.unsqueeze(0).expand(units, *x.shape) if dim is None else x.movedim(dim, 0)
            for x, dim in zip(inputs[:3], in_dims[:3], strict=True)
        )
        if in_dims[2] is None:
            table = inputs[2]
        else:
            first = torch.arange(units, device=tokens.device) * table.shape[1]
            tokens, table = tokens + first[:, None, None], table.flatten(0, 1)
        peak, winner = FoldedMax.apply(tokens.flatten(0, 1), valid.flatten(0, 1), table, pool)
        shape = (units, tokens.shape[1])
        return (peak.unflatten(0, shape), winner.unflatten(0, shape)), (0, 0)


class WinnerScatter(Function):
    """grad_table[v, t, c] = sum of grad[b, w, c] over windows with tokens[b, winner[b, w, c] + t] = v."""

    @staticmethod
    def forward(grad: Tensor, tokens: Tensor, winner: Tensor, rows: int, kernel: int) -> Tensor:
        samples, _, width = grad.shape
        start = torch.arange(samples, device=tokens.device)[:, None, None] * tokens.shape[1]
        place = (winner + start).permute(2, 0, 1).reshape(-1)
        value = grad.permute(2, 0, 1).reshape(width, -1)
        flat = tokens.reshape(-1)
        table = grad.new_empty(kernel, width, rows)
        for tap, part in enumerate(table):
            part.zero_()  # just before it is added to, so that it is still in the cache then
            if samples:
                part.scatter_add_(1, flat[tap:].index_select(0, place).view(width, -1), value)
        return table.permute(2, 0, 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, ...]:
        raise NotImplementedError("the folded stem has no second derivative; use KmerStem.plain for one")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
        outputs = [WinnerScatter.apply(*_replicate(inputs, in_dims, i)) for i in range(info.batch_size)]
        return torch.stack(outputs), 0


def _replicate(inputs: tuple[Any, ...], in_dims: tuple[Any, ...], index: int) -> list[Any]:
    return [x if dim is None else x.select(dim, index) for x, dim in zip(inputs, in_dims, strict=True)]


def _sums(tokens: Tensor, valid: Tensor, table: Tensor) -> Tensor:
    """Convolution outputs [b, n, d] (-inf where not valid), tap groups outermost so that each stays cached."""
    rows, kernel, width = table.shape
    samples, positions = valid.shape
    flat = table.reshape(rows * kernel, width)
    index = torch.int32 if rows * kernel < 2**31 else torch.int64
    first = (tokens * kernel).to(index)
    group = _group(table)
    batch = _batch(positions, table)
    sums = table.new_empty(0 if samples <= batch else samples, positions, width)
    for tap in range(0, kernel, group):
        size = min(group, kernel - tap)
        taps = torch.arange(tap, tap + size, dtype=index, device=tokens.device)
        for i in range(0, samples, batch):
            part = slice(i, i + batch)
            row = first[part, tap : tap + positions + size - 1].unfold(1, size, 1) + taps
            bags = F.embedding_bag(row.reshape(-1, size), flat, mode="sum").view(-1, positions, width)
            if tap:
                sums[part] += bags
            elif samples <= batch:
                sums = bags
            else:
                sums[part] = bags
    if sums.is_cuda:
        return sums.masked_fill_(~valid[..., None], -torch.inf)
    # The few rows alone: a mask is read for every number. (A GPU would be waited for to count them.)
    sums.view(-1, width).index_fill_(0, (~valid).flatten().nonzero().squeeze(1), -torch.inf)
    return sums


def _group(table: Tensor) -> int:
    """Taps whose rows of the table [V+1, kernel, d] stay cached together."""
    rows, kernel, width = table.shape
    cache = CACHE_BYTES * (ON_GPU if table.is_cuda else 1)
    return max(1, min(kernel, cache // (rows * width * table.element_size())))


def _batch(positions: int, table: Tensor) -> int:
    """Samples of one call."""
    entries = INDEX_ENTRIES * (ON_GPU if table.is_cuda else 1)
    return max(1, entries // (positions * _group(table)))


def _windowed_max(sums: Tensor, pool: int) -> tuple[Tensor, Tensor]:
    """Maximum and winning position per window, by the channels-last 2-D kernel: vectorised over d."""
    image = sums[:, :, None, :].permute(0, 3, 1, 2)
    peak, winner = F.max_pool2d(image, (pool, 1), ceil_mode=True, return_indices=True)
    return peak.permute(0, 2, 3, 1).squeeze(2), winner.permute(0, 2, 3, 1).squeeze(2)
