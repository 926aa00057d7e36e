"""The batches of a probe: the sampler's own, drawn again, a few pairs of each."""

import itertools
import math

import numpy as np

from harness.trial.episodes.sampler import EpisodeBatch, Sampler

BATCHES = 4
"""Batches of the probe: the last but one warms the clone, and the last is what every twin sees."""
LOOKED_AT = 100
"""Batches among which one is looked for that has cell lines in common with another one."""
SUPPORT, QUERY = 4, 8
"""Largest support and query set of an episode of the probe, and never more than half of the trial's: enough to tell zero
from not zero, at a part of the cost."""


def batches_of(sampler: Sampler, steps: int) -> list[EpisodeBatch]:
    """BATCHES batches, drawn again: a sampler's epochs are functions of their number. Before any step those of the first
    epochs; after `steps` of them the last of the last epoch, with earlier and then with later epochs where it has fewer.

    Before any step the last but one has cell lines in common with the last, if any batch has: what a term remembers of a
    cell line it would otherwise have of others alone, and be called dead.
    """
    reached = max(1, math.ceil(steps / sampler.steps))
    batches: list[EpisodeBatch] = []
    for epoch in itertools.chain(range(reached, 0, -1), itertools.count(reached + 1)):
        drawn = list(sampler.epoch(epoch))
        missing = BATCHES - len(batches)
        batches = [*drawn[-missing:], *batches] if steps else [*batches, *drawn[:missing]]
        if len(batches) == BATCHES:
            return batches if steps else _acquainted(sampler, batches)
    raise AssertionError("epochs never end")


def _acquainted(sampler: Sampler, batches: list[EpisodeBatch]) -> list[EpisodeBatch]:
    """The batches with another last but one, that which has most cell lines of the last, where it has none of them."""
    *before, warming, last = batches
    lines = set(last.query_cell.ravel().tolist())

    def common(batch: EpisodeBatch) -> int:
        return len(lines.intersection(batch.query_cell.ravel().tolist()))

    if not common(warming):
        drawn = itertools.chain.from_iterable(map(sampler.epoch, itertools.count(1)))
        others = (batch for batch in drawn if not np.array_equal(batch.query, last.query))
        warming = max(itertools.islice(others, LOOKED_AT), key=common)
    return [*before, warming, last]


def joined(one: EpisodeBatch, other: EpisodeBatch) -> EpisodeBatch:
    """The episodes of both batches."""
    return EpisodeBatch(*(np.concatenate(parts) for parts in zip(one, other, strict=True)))


def trimmed(batch: EpisodeBatch, support: int = SUPPORT, query: int = QUERY) -> EpisodeBatch:
    """The same episodes with at most `support` and `query` pairs each, evenly from all over the sets."""
    s = _evenly(batch.support.shape[1], min(support, max(2, batch.support.shape[1] // 2)))
    q = _evenly(batch.query.shape[1], min(query, max(2, batch.query.shape[1] // 2)))
    return EpisodeBatch(batch.support[:, s], batch.query[:, q], batch.cell, batch.query_cell[:, q])


def _evenly(size: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))
