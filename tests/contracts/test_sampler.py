"""Episode samplers: disjoint, pure, balanced by cell line, and the same for the same seed and epoch."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import UserError
from harness.trial.episodes.sampler import SAMPLERS, CellBatch, Sampler
from tests.contracts.settings import rows


def sampler(
    kind: str = "cell_batch", *, sizes: tuple[int, ...] = (60, 40, 90), seed: int = 0, **options: int
) -> Sampler:
    starts = np.cumsum([0, *sizes])
    pools = [np.arange(a, b) for a, b in itertools.pairwise(starts)]
    settings = {"support": 6, "query": 10, "per_step": 2, "steps_per_epoch": None} | options
    return SAMPLERS.build(
        kind, pools=pools, names=[f"line{k}" for k in range(len(sizes))], seed=seed, **settings
    )


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(rows()["sampler"]), st.integers(0, 5), st.integers(1, 4), st.integers(1, 6))
def test_support_and_query_of_an_episode_are_disjoint(
    kind: str, seed: int, epoch: int, per_step: int
) -> None:
    for batch in sampler(kind, seed=seed, per_step=per_step).epoch(epoch):
        assert batch.support.shape == (per_step, 6)
        assert batch.query.shape == batch.query_cell.shape == (per_step, 10)
        for support, query in zip(batch.support, batch.query, strict=True):
            assert len({*support.tolist(), *query.tolist()}) == 16


KINDS = pytest.mark.parametrize("kind", rows()["sampler"])


@KINDS
def test_an_epoch_is_the_same_again_and_no_other_is(kind: str) -> None:
    made = sampler(kind, seed=3)
    list(made.epoch(1))
    first, again = list(sampler(kind, seed=3).epoch(2)), list(made.epoch(2))
    for one, other in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    for others in (made.epoch(3), sampler(kind, seed=4).epoch(2)):
        assert not np.array_equal(first[0].query, next(others).query)


@KINDS
def test_cell_lines_of_pairs_and_episodes_are_told(kind: str) -> None:
    owner = np.repeat([0, 1, 2], [60, 40, 90])
    for batch in sampler(kind, per_step=3).epoch(1):
        assert np.array_equal(owner[batch.query], batch.query_cell)
        assert batch.mixed == (batch.cell == -1).all() == SAMPLERS.row(kind).cls.mixes


@KINDS
def test_an_epoch_has_the_steps_that_it_says(kind: str) -> None:
    assert len(list(sampler(kind, steps_per_epoch=7).epoch(1))) == 7
    made = sampler(kind, sizes=(640, 640), per_step=2, query=64, support=32)
    assert len(list(made.epoch(1))) == made.steps == 10, "about every training pair once"
    with pytest.raises(TypeError, match="rounds"):
        sampler(kind, rounds=2)


def test_cell_batch_episodes_of_a_step_are_distinct_single_lines() -> None:
    owner = np.repeat([0, 1, 2], [60, 40, 90])
    for batch in sampler(per_step=3).epoch(1):
        assert sorted(batch.cell) == [0, 1, 2]
        assert np.array_equal(owner[batch.query], batch.query_cell)
        assert np.array_equal(owner[batch.support], np.repeat(batch.cell[:, None], 6, axis=1))


def test_cell_batch_repeats_a_line_only_where_it_must() -> None:
    batch = next(iter(sampler(per_step=5).epoch(1)))
    assert np.bincount(batch.cell, minlength=3).max() == 2


@pytest.mark.parametrize("kind", ["meta_batch", "random"])
def test_failing_samplers_mix_cell_lines_in_one_support_set(kind: str) -> None:
    owner = np.repeat([0, 1, 2], [60, 40, 90])
    mixed = [len(set(owner[support])) for batch in sampler(kind).epoch(1) for support in batch.support]
    assert np.mean(mixed) > 1.5


def test_an_epoch_asks_for_about_every_pair_once() -> None:
    made = sampler(sizes=(640, 640), per_step=2, query=64, support=32)
    assert made.steps == 10
    seen = np.concatenate([batch.query.ravel() for batch in made.epoch(1)])
    assert len(np.unique(seen)) == 1280


def test_too_few_pairs_for_an_episode_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"cell line line1 has 12 training pairs.*= 16 different ones"):
        CellBatch(
            [np.arange(50), np.arange(50, 62)],
            ["line0", "line1"],
            support=6,
            query=10,
            per_step=2,
            steps_per_epoch=None,
            seed=0,
        )
