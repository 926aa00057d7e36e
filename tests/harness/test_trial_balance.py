"""Loss balance on hand-made gradients and on a real small trial: shares held, conflicts removed, routes kept."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from harness.audit.finding import FATAL
from harness.config.blocks.explain import ConfigError
from harness.config.space.compose import compose
from harness.trial.step.balance import GradNorm, PcGrad, WeightedSum, build_balance, without_conflict
from harness.trial.step.routing import Boundary, Router, WeightedTerm, gradient_norm
from tests.audited import audited
from tests.harness.conftest import TINY, MakeUnit


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


def linear_terms(
    gradients: dict[str, dict[str, list[float]]], weights: dict[str, float]
) -> tuple[Router, list[WeightedTerm], dict[str, nn.Parameter]]:
    """Terms <g, p> with the given gradients on the parameters e (group E) and g (group G); no sequence side."""
    p = {"e": parameter(0.0, 0.0), "g": parameter(0.0)}
    terms = [
        WeightedTerm(
            name,
            torch.stack(
                [(torch.tensor(values, dtype=torch.float64) * p[key]).sum() for key, values in own.items()]
            ).sum(),
            weights[name],
            frozenset(key.upper() for key in own),
            (),
        )
        for name, own in gradients.items()
    ]
    return Router({"S": {}, "E": {"e": p["e"]}, "G": {"g": p["g"]}}, "isolated"), terms, p


NOTHING = Boundary((), ())


def test_pcgrad_removes_exactly_the_conflicting_component() -> None:
    router, terms, p = linear_terms(
        {"task": {"e": [3.0, 4.0], "g": [7.0]}, "other": {"e": [-5.0, 0.0]}}, {"task": 1.0, "other": 2.0}
    )
    found = PcGrad(0).combine(router, terms, NOTHING, {}, 0)
    # other, weighted: (-10, 0). <task, other> = -30 on e. task' = (3, 4) + 30/100 (-10, 0) = (0, 4);
    # other' = (-10, 0) + 30/25 (3, 4) = (-6.4, 4.8). g is reached by the task alone.
    assert found.gradients[p["e"]].tolist() == pytest.approx([-6.4, 8.8])
    assert found.gradients[p["g"]].tolist() == [7.0]
    assert found.terms == terms
    assert found.state == {}


def test_pcgrad_removes_only_the_conflict() -> None:
    source = torch.Generator().manual_seed(0)
    one, two, three = parameter(0.0), parameter(0.0), parameter(0.0)

    def draw() -> torch.Tensor:
        return torch.randn(6, generator=source, dtype=torch.float64)

    conflicts = 0
    for _ in range(40):
        own, other = {one: draw(), two: draw()}, {two: draw(), three: draw()}
        left = without_conflict(own, other)
        assert torch.equal(left[one], own[one]), "a parameter that the other does not reach"
        inner = float(own[two] @ other[two])
        if inner >= 0:
            assert left is own
            continue
        conflicts += 1
        assert abs(float(left[two] @ other[two])) < 1e-12
        removed = own[two] - left[two]
        torch.testing.assert_close(removed, inner / float(other[two] @ other[two]) * other[two])
    assert 5 < conflicts < 35
    apart = {one: draw()}
    assert without_conflict(apart, {three: -draw()}) is apart


def test_pcgrad_takes_no_rounding_for_a_conflict() -> None:
    """A ranking of pairs of one line leaves 1e-10 of its gradient on their common R_E, of any direction."""
    shared, own = parameter(0.0, 0.0), parameter(0.0)
    pull = {shared: torch.tensor([0.1, 0.0])}
    rounding = {shared: torch.tensor([-3e-10, 2e-10]), own: torch.tensor([2.0])}
    assert without_conflict(pull, rounding) is pull
    small = {shared: torch.tensor([-3e-5, 2e-5]), own: torch.tensor([2.0])}
    left = without_conflict(pull, small)[shared]
    assert float(left @ small[shared]) == pytest.approx(0.0, abs=1e-12)
    assert float(left.norm()) == pytest.approx(0.1 * 2 / 13**0.5, rel=1e-5)


def test_pcgrad_of_agreeing_terms_is_their_sum() -> None:
    given = {"task": {"e": [1.0, 2.0]}, "near": {"e": [3.0, -1.0]}, "far": {"g": [5.0]}}
    weights = {"task": 1.0, "near": 0.5, "far": 2.0}
    router, terms, p = linear_terms(given, weights)
    summed = WeightedSum().combine(router, terms, NOTHING, {}, 0).gradients
    found = PcGrad(0).combine(router, terms, NOTHING, {}, 0).gradients
    assert {q: g.tolist() for q, g in found.items()} == {q: g.tolist() for q, g in summed.items()}
    assert summed[p["e"]].tolist() == [2.5, 1.5]
    assert summed[p["g"]].tolist() == [10.0]


def test_grad_norm_by_hand() -> None:
    router, terms, p = linear_terms(
        {
            "task": {"e": [3.0, 4.0], "g": [12.0]},
            "small": {"e": [0.0, 0.01]},
            "wide": {"e": [1.0, 0.0], "g": [1.0]},
        },
        {"task": 1.0, "small": 0.1, "wide": 0.5},
    )
    balance = GradNorm(ratio=2.0, momentum=0.5, warmup=4)
    state = balance.initial_state([term.name for term in terms])
    held = []
    for index in range(6):
        found = balance.combine(router, terms, NOTHING, state, index)
        state = found.state
        held.append({term.name: term.weight for term in found.terms})
    # small reaches e: the task's norm there is 5; 2 * 0.1 * 5 = 1. wide reaches both: 13; 2 * 0.5 * 13 / sqrt 2.
    assert held[5] == pytest.approx({"task": 1.0, "small": 1.0 / 0.01, "wide": 13.0 / 2**0.5})
    assert [h["small"] for h in held] == pytest.approx([25.0, 50.0, 75.0, 100.0, 100.0, 100.0])
    assert found.gradients[p["e"]].tolist() == pytest.approx([3.0 + 13.0 / 2**0.5, 5.0])
    shares = router.shares(found.terms, NOTHING)
    assert (shares["small"][1], shares["wide"][1]) == pytest.approx((0.2, 1.0))


def test_fading_gradient_is_not_blown_up() -> None:
    balance = GradNorm(momentum=0.9, warmup=0)
    state = balance.initial_state(["task", "hinge"])
    shares = []
    for size in (1.0, 1.0, 1e-4, 0.0, 1.0):
        router, terms, _ = linear_terms(
            {"task": {"e": [2.0, 0.0]}, "hinge": {"e": [0.0, size]}}, {"task": 1.0, "hinge": 0.5}
        )
        found = balance.combine(router, terms, NOTHING, state, 0)
        state = found.state
        shares.append(router.shares(found.terms, NOTHING)["hinge"][1])
    # the mean is 0.9 + 0.1 * 1e-4 at the third step: 0.5 * 1e-4 / (0.01 * 0.90001)
    assert shares == pytest.approx([0.5, 0.5, 0.5e-4 / 0.0090001, 0.0, 0.5])
    router, terms, p = linear_terms(
        {"task": {"e": [1.0, 0.0]}, "alone": {"g": [3.0]}}, {"task": 1.0, "alone": 0.5}
    )
    found = balance.combine(router, terms, NOTHING, balance.initial_state(["task", "alone"]), 0)
    assert found.gradients[p["g"]].item() == 1.5, "the task does not reach it: the configured weight"


SEVERAL: dict[str, Any] = {
    "loss.ranking.weight": 0.3,
    "loss.contrastive.weight": 0.1,
    "loss.prototypes.weight": 0.05,
    "loss.prototypes.kind": "contrastive",
    "loss.sparsity.z_i": 0.02,
    "loss.sparsity.groups": 0.01,
    "decouple.pearson": 0.1,
    "decouple.grl": 0.2,
}


def test_real_trial_holds_every_share_after_warm_up(make_unit: MakeUnit) -> None:
    unit_run = make_unit({**SEVERAL, "balance.kind": "grad_norm", "balance.warmup": 4})
    trainer = unit_run.trainer
    wanted = {term.key: weight for term, weight in trainer.weighted if term.key != "task"}
    assert len(wanted) == len(SEVERAL) - 1
    for number, batch in enumerate([b for epoch in (1, 2, 3) for b in unit_run.sampler.epoch(epoch)]):
        log = trainer.step(batch, progress=0.0, probe=True)
        if number < 5:
            continue
        for name, ratio in wanted.items():
            assert log.shares[name][1] == pytest.approx(ratio, rel=0.2), (number, name)
    assert number == 8


def test_grad_norm_warms_up_when_a_term_begins_to_act(make_unit: MakeUnit) -> None:
    changes = {**SEVERAL, "balance.kind": "grad_norm", "balance.warmup": 2, "curriculum.phase1_epochs": 1}
    unit_run = make_unit(changes)
    first = [unit_run.trainer.step(b, progress=0.5, probe=True) for b in unit_run.sampler.epoch(1)]
    assert set(first[0].shares) == {"task", "ranking", "sparsity_z_i", "sparsity_groups"}
    assert first[2].shares["ranking"][1] == pytest.approx(0.3, rel=1e-3)
    second = [unit_run.trainer.step(b, progress=1.0, probe=True) for b in unit_run.sampler.epoch(2)]
    assert [log.shares["pearson"][1] for log in second] == pytest.approx([0.05, 0.1, 0.1], rel=1e-3)
    assert second[0].shares["ranking"][1] == pytest.approx(0.3, rel=1e-3)


def test_pcgrad_leaves_no_conflict_between_two_terms_of_a_model(make_unit: MakeUnit) -> None:
    trainer = make_unit({"loss.sparsity.r": 1.0, "balance.kind": "pcgrad"}).trainer
    batch = next(iter(make_unit(run="other").sampler.epoch(1)))
    _, boundary, step, *_ = trainer.measure(batch, warm=False)
    task, sparsity = (
        WeightedTerm(t.key, t(step, trainer.states[t.key])[0], w, t.reach, ()) for t, w in trainer.weighted
    )
    against = replace(sparsity, value=-100 * task.value + sparsity.value)  # a conflict for certain
    g_task, g_other = (trainer.router.gradients([term], boundary) for term in (task, against))
    found = trainer.balance.combine(trainer.router, [task, against], boundary, {}, 0).gradients
    common = [p for p in g_task if p in g_other]
    inner = sum(float((g_task[p] * g_other[p]).sum()) for p in common)
    assert common
    assert inner < 0
    square = {
        name: gradient_norm(g[p] for p in common) ** 2 for name, g in (("task", g_task), ("other", g_other))
    }
    for p in common:
        wanted = g_task[p] * (1 - inner / square["task"]) + g_other[p] * (1 - inner / square["other"])
        torch.testing.assert_close(found[p], wanted, rtol=1e-4, atol=1e-5)
    for p in set(g_task) - set(common):
        assert torch.equal(found[p], g_task[p]), "the sequence side hears the task alone"


def test_a_balance_of_the_task_alone_is_refused() -> None:
    for kind in ("grad_norm", "pcgrad"):
        with pytest.raises(ConfigError, match=f"{kind} has no gradients to balance"):
            compose(TINY, {"balance.kind": kind})
        assert type(build_balance(compose(TINY, {**SEVERAL, "balance.kind": kind}).balance, 0)) in (
            GradNorm,
            PcGrad,
        )


def test_the_audit_sees_a_ramp_beside_a_balance(make_unit: MakeUnit) -> None:
    changes = {"loss.speculation.weight": 0.2, "balance.kind": "grad_norm", "curriculum.ramp_epochs": 2.0}
    found, _ = audited(make_unit(changes), first=False)
    assert found["M43 curriculum_ramp"].verdict == "active"
    assert found["M42 grad_norm"].verdict == "active"
    assert {name: f.reason for name, f in found.items() if f.verdict in FATAL} == {}
