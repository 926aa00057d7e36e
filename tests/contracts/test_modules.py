"""Every part that a model is composed of: shapes, seeds, finite gradients, NaN, nothing to read, order, stacking."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from harness.config.space.compose import compose
from harness.mechanisms.registered import registries
from models.environment.student import pair_inputs
from models.episode import Support
from models.sizes import Sizes
from models.streams import initialise
from tests.contracts.settings import rows, switched_on
from tests.harness.conftest import TINY

C, E, Q, S, D, F = 4, 3, 5, 7, 6, 2
W = TINY["environment"]["width"]
Inputs = dict[str, Tensor]


def support(x: Inputs) -> Support:
    """Support sets of three training cell lines."""
    known = torch.ones_like(x["u"])
    return Support(z_i=x["z_i"], u=x["u"], label=known, labelled=known, cell=torch.arange(E), v=x["v"])


class Point(NamedTuple):
    """An extension point: shapes of the tensors that its rows are given by name, how they are called, the shape that comes
    out. sets: inputs whose axis 1 is a set; empty: input and axis that may have no entry, and what then comes out (a shape)
    or is said; first: entries of the output that entry 0 of an input is of."""

    inputs: dict[str, tuple[int, ...]]
    call: Callable[[nn.Module, Inputs], Tensor]
    shape: tuple[int, ...]
    sets: tuple[str, ...] = ()
    empty: tuple[str, int, Any] = ("", 0, None)
    first: tuple[int, ...] = (0,)


POINTS = {
    "energy form": Point(
        {"u": (E, Q), "r": (E, 1)},
        lambda module, x: module(x["u"], x["r"], torch.full((E, 1), 1.5, dtype=x["u"].dtype)),
        (E, Q),
        empty=("u", 1, (E, 0)),
    ),
    "temperature mode": Point(
        {"z_e": (E, W)}, lambda module, x: module(x["z_e"], len(x["z_e"])), (E, 1), empty=("z_e", 0, (0, 1))
    ),
    "environment source": Point(
        {"z_i": (E, S, D), "u": (E, S), "v": (E, F)},
        lambda module, x: module(support(x)),
        (E, W),
        sets=("z_i", "u"),
    ),
    "set encoder": Point(
        {"x": (E, S, F)},
        lambda module, x: module(x["x"]),
        (E, W),
        sets=("x",),
        empty=("x", 1, "support set is empty"),
    ),
    "teacher": Point(
        {"nodes": (C, 2, W)},
        lambda module, x: module(torch.tensor([2, -1, 0]), x["nodes"]),
        (E,),
        first=(1, 2),
    ),
    "prototype graph": Point({}, lambda module, x: module(), (C, 2, W)),
}
"""Kind of a registry -> its point; "encoder" has a file of its own."""
PARTS = [(kind, key) for kind in POINTS for key in rows()[kind] if key != "ema"]
"""The Teacher that is an average has no forward; what it promises is tested below."""
READING = [part for part in PARTS if POINTS[part[0]].inputs]
SETS = [part for part in PARTS if POINTS[part[0]].sets]
EMPTY = [part for part in PARTS if POINTS[part[0]].empty[0]]
EVERY = pytest.mark.parametrize(("kind", "key"), PARTS, ids=lambda name: name)


def build(kind: str, key: str, seed: int = 0, **other: Any) -> Any:
    """The row in float64 as a configuration that switches it on builds it, a step away from its initialisation, at which
    some parameters are 0."""
    changes = switched_on(kind, key) | (
        {"environment.graph.prototypes": 2} if kind == "prototype graph" else {}
    )
    settings = compose(TINY, changes).resolved().model_dump()
    encodes = pair_inputs(D, False) if key == "support" else F
    sizes = Sizes(C, D, W, encodes)
    table = registries()[kind]
    arguments = table.row(key).cls.arguments(settings, sizes)
    module = table.build(key, **arguments, **other).double()
    initialise(module, seed)
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=source, dtype=parameter.dtype)
    return module


def drawn(kind: str, seed: int = 0) -> Inputs:
    source = torch.Generator().manual_seed(seed)
    shapes = POINTS[kind].inputs.items()
    return {name: torch.randn(shape, generator=source, dtype=torch.float64) for name, shape in shapes}


def out(kind: str, module: nn.Module, x: Inputs) -> Tensor:
    return POINTS[kind].call(module, x)


@EVERY
def test_its_shape_and_value_depend_on_seed_and_inputs_alone(kind: str, key: str) -> None:
    x = drawn(kind)
    before = {name: value.clone() for name, value in x.items()}
    value = out(kind, build(kind, key), x)
    assert value.shape == POINTS[kind].shape
    assert value.isfinite().all()
    torch.manual_seed(7)
    again = build(kind, key)
    assert torch.equal(out(kind, again, x), value)
    assert torch.equal(out(kind, again, x), value)
    assert all(torch.equal(x[name], before[name]) for name in x), "written in place"
    with pytest.raises(TypeError, match="colour"):
        build(kind, key, colour=1)
    with pytest.raises(KeyError, match=f"did you mean '{key}'"):
        registries()[kind].build(key + "x")


@EVERY
def test_gradients_are_finite_and_every_parameter_has_one(kind: str, key: str) -> None:
    module, x = build(kind, key), {name: t.requires_grad_() for name, t in drawn(kind).items()}
    value = out(kind, module, x)
    source = torch.Generator().manual_seed(9)
    if value.requires_grad:
        (value * torch.randn(value.shape, generator=source, dtype=value.dtype)).sum().backward()
    for name, parameter in [*module.named_parameters(), *x.items()]:
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    for name, parameter in module.named_parameters():
        # A key's bias moves all scores of a query alike, which a softmax does not see.
        still = name.endswith("key.bias")
        assert still or (parameter.grad is not None and parameter.grad.abs().sum() > 0), name


@pytest.mark.parametrize(("kind", "key"), READING)
def test_nan_passes_and_stays_in_its_episode(kind: str, key: str) -> None:
    module, x, point = build(kind, key), drawn(kind), POINTS[kind]
    clean, others = out(kind, module, x), [k for k in range(E) if k not in point.first]
    for name, tensor in x.items():
        if torch.equal(out(kind, module, {**x, name: tensor + 1}), clean):
            continue  # it does not read this
        spoilt = tensor.clone()
        spoilt[0] = torch.nan
        value = out(kind, module, {**x, name: spoilt})
        assert value[[*point.first]].isnan().all(), name
        torch.testing.assert_close(value[others], clean[others], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kind", "key"), SETS)
def test_an_order_of_a_set_changes_nothing(kind: str, key: str) -> None:
    module, x = build(kind, key), drawn(kind)
    for seed in range(5):
        order = torch.randperm(S, generator=torch.Generator().manual_seed(seed))
        turned = {name: t[:, order] if name in POINTS[kind].sets else t for name, t in x.items()}
        torch.testing.assert_close(out(kind, module, turned), out(kind, module, x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kind", "key"), EMPTY)
def test_nothing_to_read_is_an_empty_answer_or_a_sentence(kind: str, key: str) -> None:
    name, axis, wanted = POINTS[kind].empty
    module, x = build(kind, key), drawn(kind)
    x[name] = x[name].narrow(axis, 0, 0)
    if isinstance(wanted, str):
        with pytest.raises(ValueError, match=wanted):
            out(kind, module, x)
    else:
        assert out(kind, module, x).shape == wanted


class Squared(nn.Module):
    """Sum of squares of what a part says."""

    def __init__(self, kind: str, part: nn.Module) -> None:
        super().__init__()
        self.kind, self.part = kind, part

    def forward(self, x: Inputs) -> Tensor:
        return out(self.kind, self.part, x).square().sum()


@EVERY
def test_replicates_run_under_vmap(kind: str, key: str) -> None:
    members = [Squared(kind, build(kind, key, seed)) for seed in range(2)]
    inputs = [drawn(kind, seed) for seed in range(2)]
    own, held = stack_module_state(members)
    together = {name: torch.stack([x[name] for x in inputs]) for name in inputs[0]}

    def score(own: Inputs, x: Inputs, held: Inputs) -> Tensor:
        value: Tensor = functional_call(members[0], ({**own, **held},), (x,))
        return value

    dims = tuple(0 if each else None for each in (own, together, held))
    gradients = vmap(grad(score, argnums=(0, 1)), in_dims=dims)(own, together, held)
    for k, member in enumerate(members):
        leaves = {**dict(member.named_parameters()), **{n: t.requires_grad_() for n, t in inputs[k].items()}}
        value = member(inputs[k])
        if value.requires_grad:
            apart = torch.autograd.grad(value, [*leaves.values()], allow_unused=True, materialize_grads=True)
            stacked = {**gradients[0], **gradients[1]}
            for name, gradient in zip(leaves, apart, strict=True):
                torch.testing.assert_close(stacked[name][k], gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("key", rows()["teacher"])
def test_a_teacher_remembers_without_writing_in_place(key: str) -> None:
    teacher = build("teacher", key)
    student = {"weight": torch.ones(3, requires_grad=True)}
    memory = {"weight": torch.zeros(3)}
    after = teacher.remember(memory, student)
    assert set(after) == (set() if teacher.by_name else {"weight"})
    assert memory["weight"].tolist() == [0.0] * 3
    assert student["weight"].tolist() == [1.0] * 3
    assert all(0 < value < 1 and not value.requires_grad for each in after.values() for value in each)


@pytest.mark.parametrize("key", rows()["prototype graph"])
def test_an_order_of_cell_lines_turns_the_states_of_a_graph(key: str) -> None:
    graph, order = build("prototype graph", key), torch.tensor([2, 0, 3, 1])
    states = graph()
    with torch.no_grad():
        graph.prototypes.copy_(graph.prototypes[order])
    torch.testing.assert_close(graph(), states[order], rtol=0, atol=1e-12)
    assert not graph.adjacency().requires_grad, "edges carry no gradient"
