"""Placebos of loss terms: the same module and weight on an input whose samples are in another order."""

import pytest
import torch

from harness.config.space.compose import compose
from models.losses import LOSSES, build_terms
from models.losses.permuted import VECTORS, PermutedInput, permuted
from models.losses.ranking import PairwiseRanking
from models.streams import initialise
from tests.contracts.settings import switched_on
from tests.harness.conftest import TINY
from tests.models.rows import SIZES
from tests.models.steps import make_step

ABLE = [row.key for row in LOSSES if row.cls.permutes]


def placebo(key: str) -> PermutedInput:
    settings = compose(TINY, switched_on("loss term", key)).resolved().model_dump()
    (term,) = [
        term for term, _ in build_terms(settings, SIZES, placebos=[key]) if isinstance(term, PermutedInput)
    ]
    initialise(term, 3)
    return term.double()


def samples(key: str, content: torch.Tensor) -> torch.Tensor:
    return content.flatten(0, -2) if key in VECTORS else content.reshape(-1, 1)


@pytest.mark.parametrize("key", ABLE)
def test_no_sample_stays_in_its_place_and_none_is_lost(key: str) -> None:
    term, step = placebo(key), make_step(index=7)
    name = term.permutes
    before = samples(name, getattr(step, name)).double()
    seen = term.seen(step)
    after = samples(name, getattr(seen, name)).double()
    assert sorted(before.tolist()) == sorted(after.tolist())
    if name != "query_cell":  # its samples repeat
        assert not (before == after).all(1).any()
    untouched = {
        each for each in vars(step) if each != name and isinstance(getattr(step, each), torch.Tensor)
    }
    assert all(torch.equal(getattr(seen, each), getattr(step, each)) for each in untouched)


@pytest.mark.parametrize("key", ABLE)
def test_its_value_is_the_terms_on_the_other_order(key: str) -> None:
    term, step = placebo(key), make_step(index=7)
    plain = LOSSES.row(key).cls
    state = term.initial_state()
    value, new = term(step.shown_to("it", term.reads), state)
    wanted, after = plain.forward(term, term.seen(step), state)
    assert torch.equal(value, wanted)
    assert all(torch.equal(new[name], after[name]) for name in after)
    assert isinstance(term, plain)
    assert term.weight == plain.weight


def test_the_order_differs_by_step_and_is_repeatable() -> None:
    term = placebo("pearson")
    orders = [term.seen(make_step(index=index)).z_i for index in (1, 2, 1)]
    assert not torch.equal(orders[0], orders[1])
    assert torch.equal(orders[0], orders[2])


def test_its_capacity_is_that_of_the_term() -> None:
    settings = compose(TINY, {"decouple.infonce": 0.5}).resolved().model_dump()
    counts = [
        sum(p.numel() for term, _ in build_terms(settings, SIZES, placebos=names) for p in term.parameters())
        for names in ([], ["infonce"])
    ]
    assert counts[0] == counts[1] > 0


def test_a_pearson_placebo_sees_no_dependence() -> None:
    z_e = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).double()
    step = make_step(z_e=z_e, z_i=z_e.unsqueeze(1).expand(8, 6, 3).repeat(1, 1, 2)[..., :5].contiguous())
    term = placebo("pearson")
    plain = LOSSES.row("pearson").cls
    told, _ = plain.forward(term, step, term.initial_state())
    misled, _ = term(step, term.initial_state())
    assert float(misled) < 0.4 * float(told)


def test_a_term_without_such_an_input_has_no_placebo() -> None:
    with pytest.raises(ValueError, match="ranking has no input that could be permuted"):
        permuted(PairwiseRanking)
