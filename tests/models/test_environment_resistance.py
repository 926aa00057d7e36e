"""R_E: standardised and centred over the training cell lines, per cell line or per pair."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from models.environment.resistance import FLOOR, Reference, Resistance
from models.running import running_means
from models.streams import initialise
from tests.typed import as_a

E, Q, D, W, C = 3, 5, 4, 6, 8


def build(**arguments: Any) -> Resistance:
    model = Resistance(W, D, **arguments).double()
    initialise(model, 1)
    if model.scope == "sample":  # the sample part starts at zero, where nothing about it could be seen
        with torch.no_grad():
            model.a.weight.copy_(draw(*model.a.weight.shape, seed=3))
    return model


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seen_reference() -> Reference:
    seen = torch.tensor([1, 1, 1, 0, 0, 1, 0, 0], dtype=torch.float64)
    return Reference(draw(C, seed=5), draw(C, W, seed=6), seen)


def test_cell_scope_is_linear_in_z_e() -> None:
    model, z_e = build(), draw(E, W)
    out = model(z_e, draw(E, Q, D), seen_reference())
    linear = as_a(nn.Linear, model.cell_part)
    wanted = z_e @ linear.weight[0] + linear.bias
    assert out.r.shape == (E, 1)
    assert torch.allclose(out.r[:, 0], wanted)
    assert torch.equal(out.raw, out.r[:, 0])
    assert torch.equal(model.raw_cell(z_e), out.raw)


def test_nonnegative_is_softplus_and_samples_move_it_both_ways() -> None:
    z_e, z_i, reference = 3 * draw(E, W), draw(E, Q, D), seen_reference()
    there, here = [build(nonnegative=sign)(z_e, z_i, reference) for sign in (False, True)]
    assert (there.r < 0).any()
    assert (here.r > 0).all()
    assert torch.allclose(here.r, softplus(there.r))
    assert torch.equal(here.raw, there.raw), "the reference tracks the part before softplus"
    moved = build(scope="sample", nonnegative=True)(z_e, z_i, reference).r - here.r
    assert (moved < 0).any()
    assert (moved > 0).any()


def test_the_sample_part_starts_at_zero_and_learns_at_once() -> None:
    model = Resistance(W, D, scope="sample").double()
    initialise(model, 1)
    out = model(draw(E, W), draw(E, Q, D), seen_reference())
    assert torch.equal(out.r, out.raw.unsqueeze(1).expand(E, Q))
    (gradient,) = torch.autograd.grad(out.r.square().sum(), [model.a.weight])
    assert gradient.abs().min() > 0


def test_the_sample_parts_scale_is_the_spread_of_seen_z_e() -> None:
    reference = seen_reference()
    known = reference.z_e[reference.seen > 0]
    wanted = ((known - known.mean(0)) ** 2).mean().add(1e-6).sqrt()
    assert torch.allclose(reference.spread_z_e(), wanted)
    alone = reference._replace(seen=torch.eye(C, dtype=torch.float64)[0])
    assert alone.spread_z_e().item() == 1.0


def test_standardised_over_the_seen_training_cell_lines_only() -> None:
    model, z_e, reference = build(standardise=True), draw(E, W), seen_reference()
    known = reference.r[reference.seen > 0]
    out = model(z_e, draw(E, Q, D), reference)
    wanted = (out.raw - known.mean()) / (known.var(correction=0) + FLOOR**2).sqrt()
    assert torch.allclose(out.r[:, 0], wanted)


@pytest.mark.parametrize("count", [0, 1])
def test_standardising_waits_until_two_cell_lines_are_seen(count: int) -> None:
    seen = torch.zeros(C, dtype=torch.float64)
    seen[:count] = 1
    reference = seen_reference()._replace(seen=seen)
    out = build(standardise=True)(draw(E, W), draw(E, Q, D), reference)
    assert torch.equal(out.r[:, 0], out.raw)


def test_standardised_r_has_mean_zero_and_unit_spread() -> None:
    model, z_e = build(standardise=True), 30 * draw(C, W)
    reference = Reference.initial(C, W).update(torch.arange(C), model.raw_cell(z_e), z_e)
    r = model(z_e, draw(C, Q, D), reference).r
    assert r.mean().item() == pytest.approx(0, abs=1e-5)
    assert r.var(correction=0).item() == pytest.approx(1, rel=1e-2)


def test_cell_lines_that_hardly_differ_are_not_spread_apart() -> None:
    model = build(standardise=True)
    z_e = draw(1, W) + 1e-3 * draw(C, W, seed=2)
    reference = Reference.initial(C, W).update(torch.arange(C), model.raw_cell(z_e), z_e)
    assert model(z_e, draw(C, Q, D), reference).r.abs().max() < 0.05


def test_the_level_that_episodes_have_in_common_gets_no_gradient() -> None:
    model, z_e, reference = build(standardise=True), draw(E, W), seen_reference()
    linear = as_a(nn.Linear, model.cell_part)
    gates = torch.sigmoid(model(z_e, draw(E, Q, D), reference).r)
    (bias,) = torch.autograd.grad(gates.sum(), [linear.bias], retain_graph=True)
    assert bias.abs().item() < 1e-15
    (weight,) = torch.autograd.grad(gates[0].sum(), [linear.weight])
    assert weight.abs().min() > 0, "differences between episodes do"
    alone = model(z_e[:1], draw(1, Q, D), reference).r
    assert torch.autograd.grad(alone.sum(), [linear.bias])[0].abs().item() > 0


@pytest.mark.parametrize("seed", range(3))
def test_a_potential_that_means_nothing_does_not_close_all_gates(seed: int) -> None:
    """Logits of noise are best at 0, and the gates could bring them there together, never to open again."""
    model = Resistance(W, D, standardise=True).double()
    initialise(model, seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    z_e, z_i, cell = 1 + 0.01 * draw(C, W, seed=seed), draw(C, Q, D), torch.arange(C)
    reference = Reference.initial(C, W)
    for step in range(60):
        out = model(z_e, z_i, reference)
        reference = reference.update(cell, out.raw.detach(), z_e)
        u = 3 * draw(C, Q, seed=100 + step)
        loss = (u * torch.sigmoid(out.r)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    gates = torch.sigmoid(model(z_e, z_i, reference).r)
    assert 0.3 < gates.mean().item() < 0.7


def test_sample_part_is_the_centred_bilinear_form() -> None:
    model, z_e, z_i, reference = build(scope="sample", rank=2), draw(E, W), draw(E, Q, D), seen_reference()
    out = model(z_e, z_i, reference)
    known = reference.z_e[reference.seen > 0]
    mean, spread = known.mean(0), float(((known - known.mean(0)) ** 2).mean() + 1e-6) ** 0.5
    for e in range(E):
        for q in range(Q):
            moved = (model.a.weight @ z_e[e] - model.a.weight @ mean) / spread
            wanted = out.raw[e] + moved @ (model.b.weight @ z_i[e, q])
            assert out.r[e, q].item() == pytest.approx(wanted.item(), rel=1e-9)


def test_sample_part_vanishes_at_the_mean_environment() -> None:
    model, reference = build(scope="sample"), seen_reference()
    z_e = reference.mean_z_e().expand(E, W)
    out = model(z_e, draw(E, Q, D), reference)
    assert torch.allclose(out.r, out.raw.unsqueeze(1).expand(E, Q), rtol=0, atol=1e-12)


def test_no_gradient_reaches_z_i_or_the_reference() -> None:
    model, z_i = build(scope="sample", standardise=True), draw(E, Q, D).requires_grad_()
    reference = Reference(*(part.clone().requires_grad_() for part in seen_reference()))
    z_e = draw(E, W).requires_grad_()
    out = model(z_e, z_i, reference)
    found = torch.autograd.grad(out.r.sum(), [z_i, *reference, z_e], allow_unused=True)
    assert [part is None for part in found] == [True, True, True, True, False]
    assert found[4].abs().sum() > 0


def test_reference_takes_first_values_whole_later_by_momentum() -> None:
    z = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    first = Reference.initial(3, 2).update(torch.tensor([2, 0]), torch.tensor([5.0, 7.0]), z)
    assert first.r.tolist() == [7.0, 0.0, 5.0]
    assert first.seen.tolist() == [1.0, 0.0, 1.0]
    assert first.z_e.tolist() == [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]
    values = torch.tensor([1.0, 3.0, float("nan")])
    second = first.update(torch.tensor([2, 2, -1]), values, torch.zeros(3, 2), 0.75)
    # cell line 2: 0.75 * 5 + 0.25 * mean(1, 3)
    assert second.r.tolist() == pytest.approx([7.0, 0.0, 4.25])
    assert second.z_e[2].tolist() == pytest.approx([0.75, 1.5])
    assert first.r.tolist() == [7.0, 0.0, 5.0], "the state of before is untouched"
    assert first.mean_z_e().tolist() == [2.0, 3.0]
    assert Reference.initial(3, 2).mean_z_e().tolist() == [0.0, 0.0]


def test_reference_goes_through_a_checkpoint() -> None:
    saved = seen_reference()._asdict()
    assert all(torch.equal(a, b) for a, b in zip(Reference(**saved).to("cpu"), seen_reference(), strict=True))


def test_running_means_carry_no_gradient() -> None:
    values = draw(2, 3).requires_grad_()
    means, seen = running_means(torch.zeros(4, 3), torch.zeros(4), torch.tensor([1, 3]), values, 0.9)
    assert not means.requires_grad
    assert seen.tolist() == [0, 1, 0, 1]


def test_resistance_and_reference_run_under_vmap() -> None:
    members = [build(scope="sample", standardise=True) for _ in range(2)]
    initialise(members[1].cell_part, 7)
    stacked, _ = torch.func.stack_module_state(members)
    z_e, z_i, cell = draw(2, E, W), draw(2, E, Q, D), torch.tensor([[0, 1, 4], [2, 2, -1]])
    states = [seen_reference(), seen_reference()._replace(r=draw(C, seed=9))]

    def run(
        parameters: dict, z_e: torch.Tensor, z_i: torch.Tensor, cell: torch.Tensor, state: Reference
    ) -> tuple:
        out = torch.func.functional_call(members[0], parameters, (z_e, z_i, state))
        return out.r, state.update(cell, out.raw, z_e)

    batched = Reference(*(torch.stack(parts) for parts in zip(*states, strict=True)))
    r, after = torch.func.vmap(run)(stacked, z_e, z_i, cell, batched)
    for k, member in enumerate(members):
        out = member(z_e[k], z_i[k], states[k])
        assert torch.allclose(r[k], out.r, rtol=0, atol=1e-12)
        alone = states[k].update(cell[k], out.raw, z_e[k])
        assert all(torch.allclose(a[k], b) for a, b in zip(after, alone, strict=True))


def test_unknown_scope_is_an_error() -> None:
    with pytest.raises(ValueError, match="neither 'cell' nor 'sample'"):
        build(scope="pair")
