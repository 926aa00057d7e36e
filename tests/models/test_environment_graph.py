"""The prototype graph and the Student's place on it, against dense loops, linear algebra and hand-computed numbers."""

from typing import Any

import pytest
import torch

from models.environment import GRAPHS
from models.environment.graph import (
    GcnGraph,
    PrototypeGraph,
    personalised_pagerank,
    similarity_edges,
    symmetric_normalisation,
)
from models.environment.placement import Placement
from models.streams import initialise
from tests.typed import as_a

C, P, W = 3, 2, 4
KINDS: dict[str, dict[str, Any]] = {"gcn": {}, "random_walk": {"restart": 0.3}}


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def build(kind: str, seed: int = 0, **given: Any) -> PrototypeGraph:
    arguments: dict[str, Any] = {
        "cell_lines": C,
        "width": W,
        "prototypes": P,
        "neighbours": 2,
        **KINDS[kind],
        **given,
    }
    graph = GRAPHS.build(kind, **arguments).double()
    initialise(graph, seed)
    return graph


def a_graph() -> torch.Tensor:
    a = draw(6, 6, seed=4).abs() * (draw(6, 6, seed=5) > 0)
    return torch.maximum(a, a.T) * (1 - torch.eye(6, dtype=torch.float64))


def test_similarity_edges_by_hand() -> None:
    # Directions at 0, 10, 90 and 180 degrees: cosines to the nearest are known.
    angle = torch.tensor([0.0, 10.0, 90.0, 180.0], dtype=torch.float64).deg2rad()
    x = torch.stack([angle.cos(), angle.sin()], 1) * torch.tensor([[1.0], [5.0], [0.1], [2.0]])
    a = similarity_edges(x, 1)
    ten, eighty, ninety = [(1 + torch.tensor(v).deg2rad().cos().item()) / 2 for v in (10.0, 80.0, 90.0)]
    wanted = torch.zeros(4, 4, dtype=torch.float64)
    wanted[0, 1] = wanted[1, 0] = ten  # each other's nearest
    wanted[2, 1] = wanted[1, 2] = eighty  # 2 chose 1
    wanted[3, 2] = wanted[2, 3] = ninety  # 3 chose 2
    torch.testing.assert_close(a, wanted, rtol=0, atol=1e-6)
    assert (similarity_edges(x, 99) > 0).sum() == 4 * 3 - 2  # all pairs, but 0 and 180 degrees have weight 0


@pytest.mark.parametrize("seed", range(3))
def test_gcn_is_two_dense_normalised_layers(seed: int) -> None:
    graph = as_a(GcnGraph, build("gcn", seed))
    a = graph.adjacency()
    looped = a + torch.eye(C * P, dtype=a.dtype)
    root = torch.diag(looped.sum(1) ** -0.5)
    dense = root @ looped @ root
    torch.testing.assert_close(symmetric_normalisation(a), dense)
    x = graph.prototypes.flatten(0, 1)
    hidden = (dense @ x @ graph.first.weight.T).clamp(min=0)
    torch.testing.assert_close(graph().flatten(0, 1), dense @ hidden @ graph.second.weight.T)


def test_pagerank_is_the_walks_fixed_point_and_linear_solution() -> None:
    a, restart, eye = a_graph(), 0.15, torch.eye(6, dtype=torch.float64)
    pi = personalised_pagerank(a, restart)
    walk = torch.diag(1 / (a.sum(1) + 1)) @ (a + eye)
    power = eye
    for _ in range(400):
        power = (1 - restart) * power @ walk + restart * eye
    torch.testing.assert_close(pi, power, rtol=0, atol=1e-12)
    torch.testing.assert_close(pi @ (eye - (1 - restart) * walk), restart * eye)
    torch.testing.assert_close(pi.sum(1), torch.ones(6, dtype=torch.float64))
    assert torch.allclose(personalised_pagerank(a, 1.0), eye)
    graph = build("random_walk")
    torch.testing.assert_close(
        graph().flatten(0, 1),
        personalised_pagerank(graph.adjacency(), 0.3) @ graph.prototypes.flatten(0, 1),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_relations_join_all_prototypes_of_two_cell_lines(kind: str) -> None:
    relations = torch.zeros(C, C)
    relations[0, 2] = 0.75
    bare, related = build(kind, neighbours=1), build(kind, neighbours=1, relations=relations)
    a, before = related.adjacency().reshape(C, P, C, P), bare.adjacency().reshape(C, P, C, P)
    assert torch.equal(a, a.permute(2, 3, 0, 1))
    assert (a[0, :, 2] >= 0.75).all()
    assert (a[2, :, 0] >= 0.75).all()
    assert torch.equal(a[0, :, 1], before[0, :, 1])
    assert torch.equal(a[1, :, 1], before[1, :, 1])
    assert not torch.allclose(related()[0], bare()[0])
    with pytest.raises(ValueError, match="one row per training cell line"):
        build(kind, relations=torch.zeros(2, 2))


def test_placement_by_hand_and_inside_the_convex_hull() -> None:
    model = Placement(W).double()
    initialise(model, 1)
    h, nodes = draw(5, W, seed=1), draw(C, P, W, seed=2)
    flat = nodes.reshape(C * P, W)
    out = model(h, nodes)

    def norm(x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean()) / (x.var(correction=0) + 1e-5) ** 0.5

    apart = flat - flat.mean(0)
    apart = apart / (apart**2).mean().sqrt()
    for e in range(5):
        q = model.query.weight @ norm(h[e]) + model.query.bias
        score = torch.stack([q @ (model.key.weight @ apart[p]) / W**0.5 for p in range(C * P)])
        weight = score.exp() / score.exp().sum()
        torch.testing.assert_close(out[e], sum(weight[p] * flat[p] for p in range(C * P)))
    assert (out <= flat.max(0).values).all()
    assert (out >= flat.min(0).values).all()
    torch.testing.assert_close(model(h, nodes[[1, 2, 0]][:, [1, 0]]), out, rtol=0, atol=1e-12)
    torch.testing.assert_close(model(torch.cat([h[:1], h[3:]]), nodes)[0], out[0], rtol=0, atol=1e-12)


def test_states_that_hardly_differ_are_still_told_apart() -> None:
    model, h = Placement(W).double(), draw(5, W, seed=1)
    initialise(model, 1)
    nodes, mean = draw(C, P, W, seed=2), draw(W, seed=3)
    near = mean + 1e-3 * nodes
    torch.testing.assert_close(model.weights(h, near), model.weights(h, nodes), rtol=1e-4, atol=1e-6)
    assert model.weights(h, near).std(0).min() > 1e-3, "different support sets, different places"


@pytest.mark.parametrize("kind", KINDS)
def test_replicates_run_under_vmap(kind: str) -> None:
    graphs, maps = [build(kind, k) for k in range(2)], [Placement(W).double() for _ in range(2)]
    initialise(maps[1], 5)
    h = draw(2, 3, W)
    (graph_state, buffers), (map_state, _) = (
        torch.func.stack_module_state(graphs),
        torch.func.stack_module_state(maps),
    )

    def run(graph_state: dict, buffers: dict, map_state: dict, h: torch.Tensor) -> torch.Tensor:
        nodes = torch.func.functional_call(graphs[0], (graph_state, buffers), ())
        return torch.func.functional_call(maps[0], map_state, (h, nodes))

    together = torch.func.vmap(run)(graph_state, buffers, map_state, h)
    for k in range(2):
        torch.testing.assert_close(together[k], maps[k](h[k], graphs[k]()), rtol=0, atol=1e-12)


def test_unknown_settings_are_errors() -> None:
    with pytest.raises(ValueError, match="at least two prototypes"):
        GRAPHS.build("gcn", cell_lines=1, width=2, prototypes=1, neighbours=1)
    with pytest.raises(ValueError, match="restart"):
        build("random_walk", restart=0.0)
