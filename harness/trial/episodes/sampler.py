"""Episode samplers (M40): which pairs make the support and query sets of every optimiser step.

All draws of an epoch come from the stream (seed, "sampler", epoch, ...), so a resumed trial continues with the
same episodes without any stored sampler state.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from analysis.errors import UserError
from harness.config.blocks.trial import ConfigurationBlock
from models.registry import TRAINING, Registry
from models.streams import stream_seed


class EpisodeBatch(NamedTuple):
    """One optimiser step: pair indices support [E, S] and query [E, Q]; cell [E] and query_cell [E, Q] are
    indices into the training cell lines; cell is -1 in episodes that are mixtures of cell lines, and all of a step are
    or none is."""

    support: np.ndarray
    query: np.ndarray
    cell: np.ndarray
    query_cell: np.ndarray

    @property
    def mixed(self) -> bool:
        """Whether the episodes are mixtures, so that only a query pair has a cell line."""
        return bool((self.cell < 0).any())


def rng(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy generator at the start of the stream (seed, *names)."""
    return np.random.default_rng(stream_seed(seed, *names))


def check_episode(pairs: Mapping[str, int], support: int, query: int) -> None:
    """Refuse episodes that a training cell line is too small for; `pairs`: cell line -> its training pairs.

    Raises
    ------
    UserError
        naming the smallest cell line.
    """
    name = min(pairs, key=lambda name: pairs[name])
    if pairs[name] < support + query:
        raise UserError(
            f"cell line {name} has {pairs[name]} training pairs, but an episode needs support.size {support} "
            f"+ episode.query {query} = {support + query} different ones: lower support.size or episode.query"
        )


class Sampler(ABC):
    """Draws the episodes of each epoch; `pools[k]` holds the training pairs of training cell line k.

    An epoch has `steps` steps: as many as it takes to see about every training pair once as a query, unless
    `steps_per_epoch` says otherwise. Within an episode, support and query are disjoint.
    """

    acts: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    """Where it acts and what it reads (`models.registry`)."""
    mixes: ClassVar[bool]
    """Whether an episode may hold pairs of several cell lines, so that its support set is of none."""

    def __init__(
        self,
        pools: list[np.ndarray],
        names: list[str],
        *,
        support: int,
        query: int,
        per_step: int,
        steps_per_epoch: int | None,
        seed: int,
    ) -> None:
        self.pools, self.support, self.query, self.per_step, self.seed = pools, support, query, per_step, seed
        check_episode({name: len(pool) for name, pool in zip(names, pools, strict=True)}, support, query)
        total = sum(len(pool) for pool in pools)
        self.steps = steps_per_epoch or max(1, round(total / (per_step * query)))
        self.sizes = np.array([len(pool) for pool in pools], dtype=float)

    @abstractmethod
    def epoch(self, epoch: int) -> Iterator[EpisodeBatch]:
        """The steps of one epoch (1-based), always the same for the same (seed, epoch)."""


SAMPLERS: Registry[Sampler] = Registry("sampler", Sampler, path="episode.sampler", plain="cell_batch")


def build_sampler(
    settings: ConfigurationBlock, pools: list[np.ndarray], names: list[str], seed: int
) -> Sampler:
    """The sampler that a configuration chooses, over the training pairs of each training cell line."""
    return SAMPLERS.build(
        settings.episode.sampler,
        pools=pools,
        names=names,
        support=settings.support.size,
        query=settings.episode.query,
        per_step=settings.episode.per_step,
        steps_per_epoch=settings.optimiser.steps_per_epoch,
        seed=seed,
    )


SHAPES = "-> support [E, S], query [E, Q], cell [E], query_cell [E, Q]"


@SAMPLERS.register(
    "cell_batch",
    id="M40",
    name="single-cell episodes",
    equation="each episode draws support and query from one cell line",
    shapes=SHAPES,
    source="source documents 000 and 002",
)
class CellBatch(Sampler):
    """Each episode is one cell line, support and query alike.

    Cell lines are drawn without replacement within a step, in proportion to their pairs (with replacement when a
    step has more episodes than there are cell lines); query pairs run through a permutation of the cell line.
    """

    acts = TRAINING
    reads = frozenset({"cell_line"})
    mixes = False

    def epoch(self, epoch: int) -> Iterator[EpisodeBatch]:
        draw = rng(self.seed, "sampler", epoch)
        cells = len(self.pools)
        order = [draw.permutation(pool) for pool in self.pools]
        position = [0] * cells
        for _ in range(self.steps):
            rounds = -(-self.per_step // cells)
            chosen = np.concatenate(
                [
                    draw.choice(
                        cells,
                        size=min(cells, self.per_step - k * cells),
                        replace=False,
                        p=self.sizes / self.sizes.sum(),
                    )
                    for k in range(rounds)
                ]
            )
            queries, supports = [], []
            for cell in chosen:
                if position[cell] + self.query > len(order[cell]):
                    order[cell], position[cell] = draw.permutation(self.pools[cell]), 0
                start = position[cell]
                position[cell] += self.query
                rest = np.concatenate([order[cell][:start], order[cell][start + self.query :]])
                queries.append(order[cell][start : start + self.query])
                supports.append(draw.choice(rest, size=self.support, replace=False))
            yield EpisodeBatch(
                np.stack(supports), np.stack(queries), chosen, np.repeat(chosen[:, None], self.query, axis=1)
            )


@SAMPLERS.register(
    "meta_batch",
    id="M40",
    name="mixed blocks (documented as failing)",
    equation="episodes concatenate blocks of several cell lines",
    shapes=SHAPES,
    source="source documents 000 and 002",
)
class MetaBatch(Sampler):
    """Single-cell blocks mixed (documented as failing): support and query of an episode are concatenations of
    up to `blocks` blocks, each from another cell line, so that the environment is inferred from a mixture."""

    acts = TRAINING
    reads = frozenset({"cell_line"})
    mixes = True
    blocks = 4

    def epoch(self, epoch: int) -> Iterator[EpisodeBatch]:
        draw, cell_of = rng(self.seed, "sampler", epoch), _cell_of(self.pools)
        blocks = min(self.blocks, len(self.pools))
        for _ in range(self.steps):
            supports, queries = [], []
            for _ in range(self.per_step):
                cells = draw.choice(len(self.pools), size=blocks, replace=False)
                support_parts, query_parts = [], []
                for block, cell in enumerate(cells):
                    s = len(np.arange(self.support)[block::blocks])
                    q = len(np.arange(self.query)[block::blocks])
                    picked = draw.choice(self.pools[cell], size=s + q, replace=False)
                    support_parts.append(picked[:s])
                    query_parts.append(picked[s:])
                supports.append(np.concatenate(support_parts))
                queries.append(np.concatenate(query_parts))
            yield _mixed(np.stack(supports), np.stack(queries), cell_of)


@SAMPLERS.register(
    "random",
    id="M40",
    name="random pairs (documented as failing)",
    equation="episodes draw pairs of all cell lines",
    shapes=SHAPES,
    source="source documents 000 and 002",
)
class RandomBatch(Sampler):
    """Pairs of all cell lines mixed at random (documented as failing)."""

    acts = TRAINING
    reads = frozenset()
    mixes = True

    def epoch(self, epoch: int) -> Iterator[EpisodeBatch]:
        draw, cell_of = rng(self.seed, "sampler", epoch), _cell_of(self.pools)
        pairs = np.concatenate(self.pools)
        for _ in range(self.steps):
            picked = np.stack(
                [
                    draw.choice(pairs, size=self.support + self.query, replace=False)
                    for _ in range(self.per_step)
                ]
            )
            yield _mixed(picked[:, : self.support], picked[:, self.support :], cell_of)


def _cell_of(pools: list[np.ndarray]) -> dict[int, int]:
    """Training pair -> its training cell line."""
    return {pair: cell for cell, pool in enumerate(pools) for pair in pool.tolist()}


def _mixed(support: np.ndarray, query: np.ndarray, cell_of: dict[int, int]) -> EpisodeBatch:
    lookup = np.vectorize(cell_of.__getitem__, otypes=[np.int64])
    return EpisodeBatch(support, query, np.full(len(support), -1), lookup(query))
