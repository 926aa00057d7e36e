"""The batches of a probe: the sampler's own, drawn again, a few pairs of each."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from harness.trial.episodes.sampler import EpisodeBatch, Sampler

BATCHES = 4
"""Batches of the probe: the last but one warms the clone, and the last is what every twin sees."""
LOOKED_AT = 100
"""Batches among which one is looked for that has cell lines in common with another one."""
SUPPORT, QUERY = 4, 8
"""Largest support and query set of an episode of the probe: enough to tell zero from not zero, at a part of the cost."""
EPISODES = 3
"""Episodes of a step at least: one that hides its name and two that are told apart."""
FEWEST = 4
"""Size up to which a set is taken whole, and never more than half of a larger one."""


def batches_of(sampler: Sampler, steps: int, label: np.ndarray) -> list[EpisodeBatch]:
    """BATCHES batches, drawn again: a sampler's epochs are functions of their number. Before any step those of the first
    epochs; after `steps` of them the last of the last epoch, with earlier and then with later epochs where it has fewer.

    The last has a set with both labels (of all pairs, `label`) of one cell line, if any batch has: of others there is
    nothing to rank. Before any step the last but one has cell lines in common with it, likewise: what a term remembers of
    a cell line it would otherwise have of others alone, and be called dead.
    """
    reached = max(1, math.ceil(steps / sampler.steps))
    batches: list[EpisodeBatch] = []
    for epoch in itertools.chain(range(reached, 0, -1), itertools.count(reached + 1)):
        drawn = list(sampler.epoch(epoch))
        missing = BATCHES - len(batches)
        batches = [*drawn[-missing:], *batches] if steps else [*batches, *drawn[:missing]]
        if len(batches) == BATCHES:
            *earlier, last = batches
            if not can_be_ranked(last, label):
                last = next((each for each in _looked_at(sampler) if _adds(each, earlier, label)), last)
            return [*earlier, last] if steps else _acquainted(sampler, [*earlier, last])
    raise AssertionError("epochs never end")


def _looked_at(sampler: Sampler) -> Iterator[EpisodeBatch]:
    """The first LOOKED_AT batches."""
    every = itertools.chain.from_iterable(map(sampler.epoch, itertools.count(1)))
    return itertools.islice(every, LOOKED_AT)


def _adds(batch: EpisodeBatch, earlier: list[EpisodeBatch], label: np.ndarray) -> bool:
    """Whether it can be ranked, and is none of the earlier ones."""
    return can_be_ranked(batch, label) and not any(
        np.array_equal(batch.query, each.query) for each in earlier
    )


def can_be_ranked(batch: EpisodeBatch, label: np.ndarray) -> bool:
    """Whether a query set holds both labels of one cell line."""
    sets = zip(label[batch.query] > 0.5, batch.query_cell, strict=True)
    return any(
        _rankable(positive[line == each]) for positive, line in sets for each in np.unique(line).tolist()
    )


def _acquainted(sampler: Sampler, batches: list[EpisodeBatch]) -> list[EpisodeBatch]:
    """The batches with another last but one, that which has most cell lines of the last, where it has none of them; and
    before it one with other lines, where it has none but those of the last."""
    *before, warming, last = batches
    strange = not lines_of(warming) & lines_of(last)
    if not strange and not lines_of(warming) | lines_of(before[-1]) <= lines_of(last):
        return batches
    others = [batch for batch in _looked_at(sampler) if not np.array_equal(batch.query, last.query)]
    if strange:
        warming = max(others, key=lambda batch: len(lines_of(batch) & lines_of(last)))
    if lines_of(warming) | lines_of(before[-1]) <= lines_of(last):
        before[-1] = max(others, key=lambda batch: len(lines_of(batch) - lines_of(last)))
    return [*before, warming, last]


def lines_of(batch: EpisodeBatch) -> set[int]:
    """Training cell lines that the query pairs of a batch have."""
    return set(batch.query_cell.ravel().tolist())


def beside_earlier(batches: list[EpisodeBatch]) -> list[EpisodeBatch]:
    """Each batch with as many of those before it as make a step of EPISODES episodes: one alone shows nothing of what tells
    episodes apart."""
    together = list(batches)
    for back in range(1, math.ceil(EPISODES / len(batches[0].support))):
        together = [joined(batch, batches[k - back]) for k, batch in enumerate(together)]
    return together


def joined(one: EpisodeBatch, other: EpisodeBatch) -> EpisodeBatch:
    """The episodes of both batches."""
    return EpisodeBatch(*(np.concatenate(parts) for parts in zip(one, other, strict=True)))


def trimmed(
    batch: EpisodeBatch, label: np.ndarray, support: int = SUPPORT, query: int = QUERY
) -> EpisodeBatch:
    """The same episodes with at most `support` and `query` pairs each, evenly from all over the sets, and with pairs of
    both labels (of all pairs, `label`) of one cell line in a set that has some: of others there is nothing to rank."""
    s = _places(label[batch.support], np.zeros_like(batch.support), support)
    q = _places(label[batch.query], batch.query_cell, query)
    sets = (np.take_along_axis(batch.support, s, 1), np.take_along_axis(batch.query, q, 1))
    return EpisodeBatch(*sets, batch.cell, np.take_along_axis(batch.query_cell, q, 1))


def _places(label: np.ndarray, line: np.ndarray, most: int) -> np.ndarray:
    """Places [E, at most `most`] in sets of labels and lines [E, N]."""
    size = label.shape[1]
    even = np.unique(np.linspace(0, size - 1, min(size, most, max(FEWEST, size // 2))).round().astype(int))
    return np.stack([_with_both(even, *row) for row in zip(label > 0.5, line, strict=True)])


def _with_both(places: np.ndarray, positive: np.ndarray, line: np.ndarray) -> np.ndarray:
    """As many places of one set, with up to two of each label of one cell line where less than two pairs can be ranked."""
    pairs = {each: _rankable(positive[line == each]) for each in np.unique(line).tolist()}
    best = max(pairs, key=lambda each: pairs[each])
    if pairs[best] == 0 or sum(_rankable(positive[places[line[places] == each]]) for each in pairs) > 1:
        return places
    of_both = [np.flatnonzero((line == best) & (positive == label))[:2] for label in (True, False)]
    taken = np.concatenate(of_both)[: len(places)]
    rest = np.setdiff1d(places, taken)[: len(places) - len(taken)]
    return np.sort(np.concatenate([taken, rest]))


def _rankable(positive: np.ndarray) -> int:
    """Pairs of a positive and a negative."""
    return int(positive.sum() * (~positive).sum())
