"""Every balance: its state goes in and out, its weights are those in force, and a route stays a route."""

import copy
from typing import Any

import pytest
import torch

from harness.config.space.compose import compose
from harness.trial.step.balance import BALANCES, build_balance
from tests.contracts.settings import rows, switched_on
from tests.harness.conftest import TINY, MakeUnit
from tests.harness.test_trial_balance import NOTHING, SEVERAL, linear_terms

BALANCE = pytest.mark.parametrize("kind", rows()["balance"])


@BALANCE
def test_state_is_explicit_and_gradients_keep_their_routes(kind: str) -> None:
    block = compose(TINY, switched_on("balance", kind)).balance
    balance = build_balance(block, 0)
    router, terms, p = linear_terms(
        {"task": {"e": [3.0, 4.0]}, "other": {"e": [-5.0, 1.0], "g": [2.0]}}, {"task": 1.0, "other": 0.5}
    )
    state = balance.initial_state([term.name for term in terms])
    kept = copy.deepcopy(state)
    first, again = [balance.combine(router, terms, NOTHING, state, 3) for _ in range(2)]
    assert state == kept
    assert first.state.keys() == state.keys()
    assert first.state == again.state
    assert first.gradients.keys() == {p["e"], p["g"]}
    assert all(torch.equal(gradient, again.gradients[q]) for q, gradient in first.gradients.items())
    weights = {term.name: term.weight for term in first.terms}
    assert weights["task"] == 1.0
    assert first.gradients[p["g"]].item() == pytest.approx(2 * weights["other"])
    if not balance.weighs:
        assert weights["other"] == 0.5
    if not balance.projects:
        other = weights["other"]
        assert first.gradients[p["e"]].tolist() == pytest.approx([3.0 - 5.0 * other, 4.0 + other])
    alone = balance.combine(router, terms[:1], NOTHING, balance.initial_state(["task"]), 0)
    assert alone.gradients[p["e"]].tolist() == [3.0, 4.0], "nothing to balance"
    with pytest.raises(TypeError, match="colour"):
        BALANCES.build(kind, **type(balance).arguments(block, 0), colour=1)


@BALANCE
def test_a_continued_trainer_balances_as_an_uninterrupted_one(make_unit: MakeUnit, kind: str) -> None:
    changes = {**SEVERAL, "balance.kind": kind}
    whole, again = make_unit(changes, run="a").trainer, make_unit(changes, run="b").trainer
    batches = list(make_unit(changes, run="c").sampler.epoch(1))
    for batch in batches[:2]:
        whole.step(batch, progress=0.0, probe=False)
    again.load_state_dict(copy.deepcopy(whole.state_dict()))
    for trainer in (whole, again):
        trainer.step(batches[2], progress=0.0, probe=False)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters, again.parameters, strict=True))


@pytest.mark.parametrize("kind", [kind for kind in rows()["balance"] if kind != "ramp"])
def test_the_weight_in_force_is_the_ramp_times_the_balance(make_unit: MakeUnit, kind: str) -> None:
    """Half of a ramp halves what the balance gives, in the logged weight and in the share of the gradient."""
    changes: dict[str, Any] = {"loss.speculation.weight": 0.2, "decouple.pearson": 0.1, "balance.kind": kind}
    if kind == "grad_norm":
        changes["balance.warmup"] = 0
    ramped = {**changes, "curriculum.ramp_epochs": 2.0}

    def weights(changes: dict[str, Any], progress: float) -> tuple[dict[str, float], dict[str, float]]:
        unit_run = make_unit(changes, run=f"{len(changes)}")
        log = unit_run.trainer.step(next(iter(unit_run.sampler.epoch(1))), progress=progress, probe=True)
        return log.weights, {name: share for name, (_, share) in log.shares.items()}

    whole, shares = weights(changes, 0.5)
    for progress, ramp in ((0.5, 0.25), (1.0, 0.5), (2.0, 1.0)):
        risen, part = weights(ramped, progress)
        assert risen["task"] == 1.0
        for name in ("speculation", "pearson"):
            assert risen[name] == pytest.approx(ramp * whole[name], rel=1e-6)
            assert part[name] == pytest.approx(ramp * shares[name], rel=1e-4)
    if kind == "grad_norm":
        assert shares == pytest.approx({"task": 1.0, "speculation": 0.2, "pearson": 0.1}, rel=1e-4)
