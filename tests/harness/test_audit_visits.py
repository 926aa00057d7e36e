"""What a sampler and a predictor will draw is looked at before the first step; sound ones are never accused."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from harness.audit.seeded import Seeded
from harness.trial.episodes import sampler as samplers
from harness.trial.episodes.sampler import CellBatch, EpisodeBatch, RandomBatch
from harness.trial.score.predict import Predictor
from tests.harness.conftest import MakeUnit

Rng = np.random.Generator
SIZES: dict[str, Any] = {"episode.per_step": 2, "optimiser.steps_per_epoch": 6}
epoch_of_cells, epoch_of_random = CellBatch.epoch, RandomBatch.epoch


def said(make_unit: MakeUnit, changes: dict[str, Any] | None = None) -> list[str]:
    subject = make_unit({**SIZES, **(changes or {})}, twins=False).subject
    seeded = Seeded(subject)
    return [breach.sentence for part in (seeded.breaches(), seeded.ahead()) for breach in part]


def drawn(
    support: Callable[[Rng, np.ndarray, np.ndarray], np.ndarray] | None = None,
    *,
    shuffled: bool = True,
    moves: bool = True,
    lines: int = 0,
) -> Callable[[CellBatch, int], Iterator[EpisodeBatch]]:
    """An epoch of one episode per step after another: how a support set is drawn from the others of its cell line (given
    the query pairs before), and what of the order is kept."""

    def epoch(self: CellBatch, number: int) -> Iterator[EpisodeBatch]:
        draw = samplers.rng(self.seed, "sampler", number)
        cells = len(self.pools) - lines
        order = [(draw if shuffled else samplers.rng(self.seed, "order")).permutation(p) for p in self.pools]
        position, before = [0] * len(self.pools), [np.zeros(0, dtype=int)] * len(self.pools)
        for _ in range(self.steps):
            chosen = draw.choice(cells, size=self.per_step, replace=False)
            queries, supports = [], []
            for cell in chosen:
                if position[cell] + self.query > len(order[cell]):
                    order[cell], position[cell] = draw.permutation(self.pools[cell]), 0
                query = order[cell][position[cell] : position[cell] + self.query]
                position[cell] += self.query * moves
                rest = np.setdiff1d(self.pools[cell], query)
                ways = support or (lambda draw, rest, _: draw.permutation(rest))
                supports.append(ways(draw, rest, before[cell])[: self.support])
                before[cell] = query
                queries.append(query)
            yield EpisodeBatch(
                np.stack(supports), np.stack(queries), chosen, np.repeat(chosen[:, None], self.query, axis=1)
            )

    return epoch


def latest(draw: Rng, rest: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Query pairs of the episode before, and others where there are too few."""
    inside = np.intersect1d(before, rest)
    return np.concatenate([inside, draw.permutation(np.setdiff1d(rest, inside))])


BROKEN: dict[str, tuple[Callable[[CellBatch, int], Iterator[EpisodeBatch]], str]] = {
    "the same query pairs all epoch": (drawn(moves=False), "come again while"),
    "one shuffle for all epochs": (drawn(shuffled=False), "begins with the query pairs that an earlier one began"),
    "support from the first half": (
        drawn(lambda draw, rest, _: draw.permutation(rest[: len(rest) // 2])),
        "a late place in the file is avoided",
    ),
    "support in the order of the file": (drawn(lambda _, rest, __: rest), "never were in support sets"),
    "support of the episode before": (drawn(latest), "prefer or avoid the query pairs of the episode before"),
    "a cell line that is never drawn": (drawn(lines=1), "is drawn 0 times"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_sampler_prefers_is_said(
    name: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, sentence = BROKEN[name]
    monkeypatch.setattr(CellBatch, "epoch", change)
    assert any(sentence in one for one in said(make_unit)), said(make_unit)


def test_a_line_drawn_twice_in_a_step_is_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(self: CellBatch, number: int) -> Iterator[EpisodeBatch]:
        size, self.per_step = self.per_step, 1
        singles = list(epoch_of_cells(self, number))
        self.per_step = size
        for one, other in itertools.pairwise(singles):
            yield EpisodeBatch(*(np.concatenate(parts) for parts in zip(one, other, strict=True)))

    monkeypatch.setattr(CellBatch, "epoch", twice)
    assert any("twice before others" in one for one in said(make_unit))


def test_a_random_sampler_that_leaves_lines_out_is_said(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fewer(self: RandomBatch, number: int) -> Iterator[EpisodeBatch]:
        whole = self.pools
        self.pools = whole if number == 1 else whole[:1]
        yield from epoch_of_random(self, number)
        self.pools = whole

    monkeypatch.setattr(RandomBatch, "epoch", fewer)
    assert "at a chance of" in said(make_unit, {"episode.sampler": "random"})[0]


@pytest.mark.parametrize("sampler", ["cell_batch", "meta_batch", "random"])
@pytest.mark.parametrize(("support", "query"), [(2, 2), (8, 16), (30, 10)])
def test_sound_draws_are_never_accused(sampler: str, support: int, query: int, make_unit: MakeUnit) -> None:
    sizes = {"support.size": support, "episode.query": query, "episode.per_step": 3}
    assert said(make_unit, {"episode.sampler": sampler, **sizes}) == []


def test_a_seed_that_is_not_read_is_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    real = samplers.rng
    monkeypatch.setattr(samplers, "rng", lambda seed, *names: real(7, *names))
    assert said(make_unit) == ["another seed gives the same batches"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (lambda seed, split, cell, draw: (0, split, cell, draw), "another seed gives the same support draws"),
        (lambda seed, split, cell, draw: (seed, split, cell), "choose the same pairs"),
        (lambda seed, split, cell, draw: (seed, cell, draw), "choose the same pairs"),
        (lambda seed, split, cell, draw: (seed, split, draw), "choose the same pairs"),
        (lambda seed, split, cell, draw: (np.random.SeedSequence().entropy,), "draws of one seed differ"),
    ],
    ids=["seed", "draw", "split", "cell line", "all"],
)
def test_support_draws_go_by_every_name(
    names: Callable[..., tuple[Any, ...]],
    sentence: str,
    make_unit: MakeUnit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unnamed(self: Predictor, split: str, cell: int, places: np.ndarray, draws: int) -> np.ndarray:
        named = (names(self.seed, split, cell, draw) for draw in range(draws))
        streams = (np.random.default_rng(abs(hash(each))) for each in named)
        return np.stack([stream.choice(places, self.support_size, replace=False) for stream in streams])

    monkeypatch.setattr(Predictor, "support_positions", unnamed)
    assert any(sentence in one for one in said(make_unit))
