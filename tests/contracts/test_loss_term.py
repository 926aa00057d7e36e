"""Every loss term: an explicit state, finite where there is nothing to compare, stackable, deaf to nothing it reads."""

from typing import Any

import pytest
import torch

from harness.config.space.compose import compose
from models.episode import Step
from models.losses import LOSSES, build_terms
from models.streams import initialise
from tests.contracts.settings import rows, switched_on
from tests.definitions_table import DEFINITIONS
from tests.harness.conftest import TINY
from tests.models.rows import SIZES, build_row
from tests.models.steps import linear_energy, make_step

TERMS = pytest.mark.parametrize("key", rows()["loss term"])
FIELDS = (
    *("u", "z_i", "z_e", "r", "logit", "temperature", "kl", "channel_norm"),
    *("r_student", "r_heard", "r_teacher", "v_decoded", "log_prior"),
)
"""What of a step a gradient can go to."""


@TERMS
def test_its_settings_build_it_once_with_their_weight(key: str) -> None:
    settings = compose(TINY, switched_on("loss term", key)).resolved().model_dump()
    built = [weight for term, weight in build_terms(settings, SIZES) if type(term) is LOSSES.row(key).cls]
    assert built == [LOSSES.terms()[key].weight_in(settings)]
    assert built[0] > 0


@TERMS
def test_state_is_pure_and_keeps_its_shape(key: str) -> None:
    term = build_row(key)
    state = term.initial_state()
    kept = {name: value.clone() for name, value in state.items()}
    value, new = term(make_step(seed=1), state)
    assert value.shape == ()
    assert torch.isfinite(value)
    assert set(new) == set(state)
    for name, before in kept.items():
        assert torch.equal(state[name], before), f"{name} was written in place"
        assert new[name].shape == before.shape
        assert not new[name].requires_grad
    repeated, _ = term(make_step(seed=1), state)
    assert torch.equal(value, repeated)
    with pytest.raises(TypeError, match="colour"):
        build_row(key, colour=1)


@TERMS
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_cell_line_of_one_class_is_finite(key: str, label: float) -> None:
    lines = torch.zeros(4, dtype=torch.long)
    step = make_step(label=torch.full((4, 6), label, dtype=torch.float64), cell=lines)
    term = build_row(key)
    leaves = {name: getattr(step, name).requires_grad_() for name in FIELDS}
    value, new = term(step, term.initial_state())
    assert torch.isfinite(value)
    assert all(torch.isfinite(each).all() for each in new.values())
    if value.requires_grad:
        found = torch.autograd.grad(value, [*leaves.values()], allow_unused=True, materialize_grads=True)
        assert all(torch.isfinite(gradient).all() for gradient in found)


@TERMS
def test_nan_in_what_it_acts_on_makes_it_nan(key: str) -> None:
    term = build_row(key)
    state = term.initial_state()
    for seed in range(3):
        _, state = term(make_step(seed=seed), state)
    for name in set(DEFINITIONS[key].moves.split()) & set(FIELDS):
        step = make_step(seed=5)
        lost: dict[str, Any] = {name: torch.full_like(getattr(step, name), torch.nan)}
        spoilt = make_step(seed=5, **lost)
        assert term(spoilt, term.awake(state))[0].isnan(), name


@TERMS
def test_replicates_run_under_vmap(key: str) -> None:
    members = [build_row(key) for _ in range(2)]
    initialise(members[1], 5)
    parameters = torch.func.stack_module_state(members)[0] if [*members[0].parameters()] else {}
    steps = [make_step(seed=3 + k) for k in range(2)]
    states = [member(make_step(seed=1 + k), member.initial_state())[1] for k, member in enumerate(members)]
    names = [
        *FIELDS,
        "label",
        "cell",
        "query_cell",
        "channel_size",
        "pseudo_unseen",
        "shallow",
        "taught",
        "v",
    ]
    fields = {name: torch.stack([getattr(s, name) for s in steps]) for name in names}
    batched = {name: torch.stack([s[name] for s in states]) for name in states[0]}

    def run(parameters: dict[str, Any], fields: dict[str, Any], state: dict[str, Any]) -> tuple[Any, ...]:
        def value(moved: dict[str, Any]) -> tuple[torch.Tensor, tuple[Any, ...]]:
            every = {**fields, **moved}
            step = Step(**every, seed=0, index=0, energy_of=linear_energy(every["u"]))
            loss, new = torch.func.functional_call(members[0], parameters, (step, state))
            return loss, (loss, new)

        gradients, (loss, new) = torch.func.grad(value, has_aux=True)({name: fields[name] for name in FIELDS})
        return loss, new, gradients

    dims = (0 if parameters else None, 0, 0 if batched else None)
    together, after, gradients = torch.func.vmap(run, in_dims=dims)(parameters, fields, batched)
    for k, member in enumerate(members):
        leaves = [getattr(steps[k], name).requires_grad_() for name in FIELDS]
        alone, new = member(steps[k], states[k])
        assert torch.allclose(together[k], alone, rtol=1e-9)
        assert all(torch.allclose(after[name][k], new[name]) for name in new)
        apart = torch.autograd.grad(alone, leaves, allow_unused=True, materialize_grads=True)
        for name, gradient in zip(FIELDS, apart, strict=True):
            assert torch.allclose(gradients[name][k], gradient, rtol=1e-7, atol=1e-12), name
