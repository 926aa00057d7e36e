"""The cell prototype graph (M24): prototypes of every training cell line, joined by similarity and by relations."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from models.environment.glorot import GlorotLinear
from models.part import ModelPart
from models.registry import EVERYWHERE, Registry, Settings
from models.sizes import Sizes
from models.stopped import stopped


def similarity_edges(x: Tensor, neighbours: int) -> Tensor:
    """A_ij = (1 + cos(x_i, x_j)) / 2 where j is among the k nearest of i by cosine or i among those of j, else 0.

    x [N, w] -> [N, N], symmetric, zero diagonal, in [0, 1]; k is at most N - 1. A row of zeros has cosine 0 to all.
    """
    unit = normalize(x, dim=-1, eps=1e-8)
    cosine = unit @ unit.T
    loops = torch.eye(x.shape[0], dtype=x.dtype, device=x.device)
    nearest = (cosine - 4.0 * loops).topk(min(neighbours, x.shape[0] - 1), dim=1).indices
    chosen = torch.zeros_like(cosine).scatter(1, nearest, 1.0) * (1 - loops)
    weight = chosen * (1 + cosine) / 2
    return torch.maximum(weight, weight.T)


def symmetric_normalisation(a: Tensor) -> Tensor:
    """D^-1/2 (A + I) D^-1/2 of a symmetric A [N, N] >= 0, D the row sums of A + I (Kipf and Welling 2017)."""
    looped = a + torch.eye(a.shape[0], dtype=a.dtype, device=a.device)
    scale = looped.sum(1).rsqrt()
    return scale.unsqueeze(1) * looped * scale


def personalised_pagerank(a: Tensor, restart: float) -> Tensor:
    """Pi = r (I - (1 - r) P)^-1, P = D^-1 (A + I): where walks that restart at node i with probability r spend time.

    a [N, N] >= 0 -> [N, N], rows sum to 1. Page et al. 1999; Gasteiger et al. 2019 (APPNP, the exact limit).
    """
    eye = torch.eye(a.shape[0], dtype=a.dtype, device=a.device)
    looped = a + eye
    walk = looped / looped.sum(1, keepdim=True)
    inverse: Tensor = torch.linalg.solve(eye - (1 - restart) * walk, eye)
    return restart * inverse


class PrototypeGraph(ModelPart):
    """States H [C, P, w] of P prototypes per training cell line after they have seen their neighbours.

    Prototypes X [C, P, w] are parameters, drawn from N(0, 1) as embeddings are. Edges: kNN by
    cosine similarity of the present prototypes, and relations [C, C] in [0, 1] between cell lines, which join all
    their prototypes; of two edges the heavier counts. The edges carry no gradient; what flows along them does.
    NaN in a prototype makes every state that it reaches NaN.
    """

    acts: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    """Where it acts and what it reads (`models.registry`)."""
    group = "T"
    joined: Tensor

    def __init__(
        self, cell_lines: int, width: int, prototypes: int, neighbours: int, relations: Tensor | None = None
    ) -> None:
        super().__init__()
        if cell_lines * prototypes < 2:
            raise ValueError("a prototype graph needs at least two prototypes")
        if relations is not None and relations.shape != (cell_lines, cell_lines):
            raise ValueError(
                f"relations are {tuple(relations.shape)}, expected one row per training cell line ({cell_lines})"
            )
        self.neighbours = neighbours
        self.prototypes = nn.Parameter(torch.empty(cell_lines, prototypes, width))
        pairs = torch.zeros(cell_lines, cell_lines) if relations is None else relations
        pairs = torch.maximum(pairs, pairs.T) * (1 - torch.eye(cell_lines))
        self.register_buffer(
            "joined",
            pairs.repeat_interleave(prototypes, 0).repeat_interleave(prototypes, 1),
            persistent=False,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.prototypes)

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        """Constructor arguments: sizes and relations of the data, counts of the block `environment.graph`."""
        graph = settings["environment"]["graph"]
        counts = {key: graph[key] for key in ("prototypes", "neighbours")}
        return {"cell_lines": sizes.cell_lines, "width": sizes.width, "relations": sizes.relations, **counts}

    def adjacency(self) -> Tensor:
        """A [C P, C P], symmetric, zero diagonal, without gradient."""
        near = similarity_edges(stopped(self.prototypes).flatten(0, 1), self.neighbours)
        return torch.maximum(near, self.joined.to(near.dtype))

    @abstractmethod
    def spread(self, a: Tensor, x: Tensor) -> Tensor:
        """States [N, w] of nodes x [N, w] under adjacency a [N, N]."""

    def forward(self) -> Tensor:
        x = self.prototypes.flatten(0, 1)
        return self.spread(self.adjacency(), x).reshape(self.prototypes.shape)


GRAPHS: Registry[PrototypeGraph] = Registry(
    "prototype graph", PrototypeGraph, path="environment.graph.kind", group=PrototypeGraph.group, plain="none"
)


@GRAPHS.register(
    "gcn",
    id="M24",
    name="graph convolution over prototypes",
    equation="H = A' relu(A' X W_1) W_2, A' = D^-1/2 (A + I) D^-1/2",
    shapes="X [C P, w], A [C P, C P] -> [C, P, w]",
    source="source document 002; Kipf and Welling 2017",
)
class GcnGraph(PrototypeGraph):
    """H = A' relu(A' X W_1) W_2 with A' = D^-1/2 (A + I) D^-1/2: two layers, no bias."""

    acts = EVERYWHERE
    reads = frozenset()

    def __init__(
        self, cell_lines: int, width: int, prototypes: int, neighbours: int, relations: Tensor | None = None
    ) -> None:
        super().__init__(cell_lines, width, prototypes, neighbours, relations)
        self.first = GlorotLinear(width, width, bias=False)
        self.second = GlorotLinear(width, width, bias=False)

    def spread(self, a: Tensor, x: Tensor) -> Tensor:
        mixing = symmetric_normalisation(a)
        h: Tensor = self.second(mixing @ torch.relu(self.first(mixing @ x)))
        return h


@GRAPHS.register(
    "random_walk",
    id="M24",
    name="personalised PageRank over prototypes",
    equation="H = r (I - (1 - r) P)^-1 X, P = D^-1 (A + I)",
    shapes="X [C P, w], A [C P, C P] -> [C, P, w]",
    source="source document 002; Page et al. 1999; Gasteiger et al. 2019",
)
class RandomWalkGraph(PrototypeGraph):
    """H = Pi X, Pi the personalised PageRank of walks that restart with probability r in (0, 1]; r = 1 gives X."""

    acts = EVERYWHERE
    reads = frozenset()

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        return super().arguments(settings, sizes) | {"restart": settings["environment"]["graph"]["restart"]}

    def __init__(
        self,
        cell_lines: int,
        width: int,
        prototypes: int,
        neighbours: int,
        relations: Tensor | None = None,
        restart: float = 0.15,
    ) -> None:
        super().__init__(cell_lines, width, prototypes, neighbours, relations)
        if not 0.0 < restart <= 1.0:
            raise ValueError(f"restart {restart} is not in (0, 1]")
        self.restart = restart

    def spread(self, a: Tensor, x: Tensor) -> Tensor:
        return personalised_pagerank(a, self.restart) @ x
