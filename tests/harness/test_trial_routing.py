"""Routing is checked on numbers: what a term may not reach gets no gradient, and the routed sum is autograd's own."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from harness.trial.step.routing import (
    Boundary,
    Gradients,
    Router,
    RoutingError,
    WeightedTerm,
    gradient_norm,
)


class Toy(nn.Module):
    """S: z = a x; E: e = b; G: t; a term's own parameter: k."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.b = nn.Parameter(torch.tensor(0.5))
        self.t = nn.Parameter(torch.tensor(2.0))

    def groups(self) -> dict[str, dict[str, nn.Parameter]]:
        return {"S": {"a": self.a}, "E": {"b": self.b}, "G": {"t": self.t}}


def terms_of(toy: Toy, x: Tensor, k: nn.Parameter) -> tuple[list[WeightedTerm], Boundary]:
    output = toy.a * x
    leaf = output.detach().requires_grad_()
    task = ((leaf - toy.b) / toy.t).square().sum()
    decouple = (leaf * toy.b).sum().square()
    adversary = (leaf * k).sum()
    return [
        WeightedTerm("task", task, 1.0, frozenset("SEG"), ()),
        WeightedTerm("pearson", decouple, 0.5, frozenset("E"), ()),
        WeightedTerm("grl", adversary, 2.0, frozenset("SA"), (k,)),
    ], Boundary((output,), (leaf,))


def test_isolated_terms_reach_only_their_groups() -> None:
    toy, k, x = Toy(), nn.Parameter(torch.tensor(3.0)), torch.tensor([1.0, -1.0])
    terms, boundary = terms_of(toy, x, k)
    router = Router(toy.groups(), "isolated")
    assert set(router.gradients([terms[1]], boundary)) == {toy.b}
    assert set(router.gradients([terms[2]], boundary)) == {toy.a, k}
    assert set(router.gradients([terms[0]], boundary)) == {toy.a, toy.b, toy.t}


@pytest.mark.parametrize("routing", ["isolated", "shared"])
def test_the_routed_sum_equals_autograd_on_the_allowed_paths(routing: str) -> None:
    toy, k, x = Toy(), nn.Parameter(torch.tensor(3.0)), torch.tensor([1.0, -1.0])
    terms, boundary = terms_of(toy, x, k)
    found = Router(toy.groups(), routing).gradients(terms, boundary)

    z = toy.a * x
    cut = routing == "isolated"
    task = ((z - toy.b) / toy.t).square().sum()
    pearson = ((z.detach() if cut else z) * toy.b).sum().square()
    grl = (z * k).sum()
    (task + 0.5 * pearson + 2.0 * grl).backward()
    for parameter in (toy.a, toy.b, toy.t, k):
        torch.testing.assert_close(found[parameter], parameter.grad)


def test_a_weight_of_zero_is_as_if_the_term_were_absent() -> None:
    toy, k, x = Toy(), nn.Parameter(torch.tensor(3.0)), torch.tensor([1.0, -1.0])
    terms, boundary = terms_of(toy, x, k)
    off = WeightedTerm("pearson", terms[1].value, 0.0, terms[1].reach, ())
    router = Router(toy.groups(), "isolated")
    with_zero, without = router.gradients([terms[0], off], boundary), router.gradients([terms[0]], boundary)
    assert with_zero.keys() == without.keys()
    assert all(torch.equal(with_zero[p], without[p]) for p in without)


def test_shares_are_norms_on_the_targets_over_the_tasks_norm() -> None:
    toy, k, x = Toy(), nn.Parameter(torch.tensor(3.0)), torch.tensor([1.0, -1.0])
    terms, boundary = terms_of(toy, x, k)
    shares = Router(toy.groups(), "isolated").shares(terms, boundary)
    # pearson: d/db 0.5 (b * sum z)^2 = b (sum z)^2, with sum z = 1 - 2 = -1; task: d/db = -2 sum (z - b) / t^2
    assert shares["pearson"] == pytest.approx((0.5, 0.5 / (2 * 2.0 / 4)))
    # grl on S: 2 * k * x; task on S: 2 (z - b) x / t^2 with z = (1, -2)
    assert shares["grl"][0] == pytest.approx(6 * 2**0.5)
    assert shares["grl"][1] == pytest.approx(6 * 2**0.5 / ((2 * 0.5 / 4) ** 2 + (2 * 2.5 / 4) ** 2) ** 0.5)
    assert shares["task"][1] == pytest.approx(1.0)


class LeakyRouter(Router):
    """A router with the fault that the check exists for: it differentiates with respect to everything."""

    def gradients(self, terms: Sequence[WeightedTerm], boundary: Boundary) -> Gradients:
        wide = [replace(term, reach=frozenset("SEGA")) for term in terms]
        return super().gradients(wide, boundary)


def test_a_leak_is_found_on_the_gradients_themselves() -> None:
    toy, k, x = Toy(), nn.Parameter(torch.tensor(3.0)), torch.tensor([1.0, -1.0])
    terms, boundary = terms_of(toy, x, k)
    Router(toy.groups(), "isolated").shares(terms, boundary)
    with pytest.raises(
        RoutingError, match="loss term pearson may reach E, and its gradient on other parameters has"
    ):
        LeakyRouter(toy.groups(), "isolated").shares(terms, boundary)


def test_norm_of_nothing_is_zero() -> None:
    assert gradient_norm([]) == 0.0
