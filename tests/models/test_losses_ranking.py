"""Ranking losses against slow references, within cell lines, with sub-sampling."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from harness.config.blocks.loss import RANKING_TAU
from harness.config.blocks.trial import ConfigurationBlock
from models.episode import Step
from models.losses import LOSSES
from models.losses.ranking import PairwiseRanking
from tests.models.steps import make_step
from tests.typed import grad

MIXED = torch.tensor([[0, 1, 0, 1, 0, 1, 1, 0]] * 3)


def slow_pairwise(step: Step, tau: float) -> float:
    episodes = []
    for logit, label, cell in zip(
        step.logit.tolist(), step.label.tolist(), step.query_cell.tolist(), strict=True
    ):
        pairs = []
        for p in range(len(logit)):
            for n in range(len(logit)):
                if label[p] > 0.5 and label[n] < 0.5 and cell[p] == cell[n]:
                    pairs.append(math.log1p(math.exp(-(logit[p] - logit[n]) / tau)))
        if pairs:
            episodes.append(sum(pairs) / len(pairs))
    return sum(episodes) / len(episodes) if episodes else 0.0


def slow_smooth_ap(step: Step, tau: float) -> float:
    episodes = []
    for logit, label, cell in zip(
        step.logit.tolist(), step.label.tolist(), step.query_cell.tolist(), strict=True
    ):
        precisions = []
        for p in range(len(logit)):
            others = [j for j in range(len(logit)) if j != p and cell[j] == cell[p]]
            if label[p] < 0.5 or all(label[j] > 0.5 for j in others):
                continue
            above = {j: 1 / (1 + math.exp(-(logit[j] - logit[p]) / tau)) for j in others}
            positives = sum(value for j, value in above.items() if label[j] > 0.5)
            precisions.append((1 + positives) / (1 + sum(above.values())))
        if precisions:
            episodes.append(1 - sum(precisions) / len(precisions))
    return sum(episodes) / len(episodes) if episodes else 0.0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10000), tau=st.floats(0.2, 5), mixed=st.booleans())
def test_rankings_agree_with_double_loops(seed: int, tau: float, mixed: bool) -> None:
    lines: dict[str, Any] = {"query_cell": MIXED} if mixed else {}
    step = make_step(episodes=3, queries=8, seed=seed, **lines)
    for key, slow in (("ranking_pairwise", slow_pairwise), ("ranking_smooth_ap", slow_smooth_ap)):
        value, state = LOSSES.build(key, tau=tau)(step, {})
        assert value.item() == pytest.approx(slow(step, tau), rel=1e-9, abs=1e-12)
        assert state == {}


def test_smooth_ap_tends_to_average_precision() -> None:
    step = make_step(episodes=1, queries=40, seed=8)
    value, _ = LOSSES.build("ranking_smooth_ap", tau=1e-6)(step, {})
    exact = average_precision_score(step.label[0].numpy(), step.logit[0].numpy())
    assert 1 - value.item() == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("key", ["ranking_pairwise", "ranking_smooth_ap"])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_gives_zero_and_no_nan_gradient(key: str, label: float) -> None:
    logit = torch.randn(2, 5, requires_grad=True)
    value, _ = LOSSES.build(key)(make_step(logit=logit, label=torch.full((2, 5), label)), {})
    value.backward()
    assert value.item() == 0.0
    assert grad(logit).abs().sum() == 0.0


@pytest.mark.parametrize("key", ["ranking_pairwise", "ranking_smooth_ap"])
def test_an_episode_of_one_class_does_not_dilute_the_others(key: str) -> None:
    step = make_step(episodes=2, queries=6, seed=4)
    label = step.label.clone()
    label[1] = 1.0
    both, _ = LOSSES.build(key)(Step(**{**vars(step), "label": label}), {})
    alone = Step(**{**vars(step), **{n: getattr(step, n)[:1] for n in ("logit", "label", "query_cell")}})
    assert both.item() == pytest.approx(LOSSES.build(key)(alone, {})[0].item(), rel=1e-12)


@pytest.mark.parametrize("key", ["ranking_pairwise", "ranking_smooth_ap"])
def test_a_shift_of_a_cell_line_changes_nothing(key: str) -> None:
    step = make_step(episodes=3, queries=8)
    shifted = Step(**{**vars(step), "logit": step.logit + torch.tensor([[3.0], [-1.0], [0.5]])})
    values = [LOSSES.build(key)(s, {})[0].item() for s in (step, shifted)]
    assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_gradient_raises_positives_and_lowers_negatives() -> None:
    for key in ("ranking_pairwise", "ranking_smooth_ap"):
        logit = torch.tensor([[0.3, 0.5, 0.1, -0.2]], dtype=torch.float64, requires_grad=True)
        label = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
        LOSSES.build(key)(make_step(logit=logit, label=label), {})[0].backward()
        assert (grad(logit)[0, [1, 3]] > 0).all(), key
        assert grad(logit)[0, [0, 2]].sum() < 0, key


def test_sampled_pairs_estimate_the_mean_over_all_pairs() -> None:
    step = make_step(episodes=3, queries=100, seed=2)
    term = LOSSES.build("ranking_pairwise", max_pairs=2000)
    exact, sampled = slow_pairwise(step, 1.0), term(step, {})[0].item()
    assert sampled != pytest.approx(exact, rel=1e-12), "2500 possible pairs are more than max_pairs"
    assert sampled == pytest.approx(exact, rel=0.01)


def test_sampled_pairs_have_both_labels_of_one_cell_line() -> None:
    step = make_step(episodes=2, queries=60, seed=1)
    cell = (torch.arange(60) % 2).expand(2, 60)
    term = PairwiseRanking(max_pairs=500)
    p, n, exists = term._sample(step.label > 0.5, step)
    assert exists.all()
    assert (step.label.gather(1, p) == 1).all()
    assert (step.label.gather(1, n) == 0).all()
    assert p.shape == (2, 500)
    assert len(set(zip(p[0].tolist(), n[0].tolist(), strict=True))) > 250
    value = term(Step(**{**vars(step), "query_cell": cell}), {})[0].item()
    mixed = Step(**{**vars(step), "query_cell": cell})
    assert value == pytest.approx(slow_pairwise(mixed, 1.0), rel=0.05)


def test_a_steps_sample_is_fixed_and_steps_cover_every_query() -> None:
    term = PairwiseRanking(max_pairs=50)
    positive = make_step(episodes=1, queries=80, seed=1).label > 0.5
    steps = [make_step(episodes=1, queries=80, seed=1, index=i) for i in range(12)]
    again = term._sample(positive, steps[3])
    assert all(torch.equal(a, b) for a, b in zip(again, term._sample(positive, steps[3]), strict=True))
    drawn = [torch.cat(term._sample(positive, s)[:2], 1) for s in steps]
    assert not torch.equal(drawn[0], drawn[1])
    assert set(torch.cat(drawn, 1).flatten().tolist()) == set(range(80))


def test_sampling_one_class_is_zero() -> None:
    step = make_step(episodes=1, queries=30, label=torch.zeros(1, 30))
    assert LOSSES.build("ranking_pairwise", max_pairs=10)(step, {})[0].item() == 0.0


def test_the_default_scale_follows_average_precision() -> None:
    """1 - loss against exact AP over 300 draws: correlation 0.999 at the default 0.05, and 0.9 at 1."""
    source = torch.Generator().manual_seed(0)
    logit = torch.randn(300, 64, generator=source, dtype=torch.float64)
    strength = 2 * torch.rand(300, 1, generator=source, dtype=torch.float64)
    label = (torch.rand(logit.shape, generator=source) < torch.sigmoid(strength * logit - 1)).double()
    exact = torch.tensor([average_precision_score(y, score) for y, score in zip(label, logit, strict=True)])

    def correlation(**own: float) -> float:
        term = LOSSES.build("ranking_smooth_ap", **own)
        rows = zip(logit.split(1), label.split(1), strict=True)
        smooth = torch.stack([1 - term(make_step(logit=a, label=b), {})[0] for a, b in rows])
        return float(torch.corrcoef(torch.stack([smooth, exact.double()]))[0, 1])

    assert correlation() > 0.998 > 0.96 > correlation(tau=1.0)


def test_a_ranking_without_a_scale_has_that_of_its_surrogate() -> None:
    for surrogate, tau in RANKING_TAU.items():
        block = {"loss": {"ranking": {"weight": 1.0, "surrogate": surrogate}}}
        assert ConfigurationBlock.model_validate(block).resolved().loss.ranking.tau == tau
        assert LOSSES.build(f"ranking_{surrogate}").tau == tau, "the class has the same default"
        given = {"loss": {"ranking": {"weight": 1.0, "surrogate": surrogate, "tau": 0.3}}}
        assert ConfigurationBlock.model_validate(given).resolved().loss.ranking.tau == 0.3
