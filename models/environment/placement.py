"""The Student-to-graph map (M25): where on the prototype graph a support set belongs."""

import math

from torch import Tensor
from torch.nn.functional import layer_norm

from models.declared import declare
from models.environment.glorot import GlorotLinear
from models.part import ModelPart
from models.registry import EVERYWHERE


class Placement(ModelPart):
    """z_E = sum_p a_p H_p, a = softmax(<W_q n(h), W_k m(H_p)> / sqrt(w)): attention of the Student over all prototypes.

    n(h) = (h - mean h) / sd h over the w dimensions; m(H_p) = (H_p - mean_p H) / s, s the root mean square of H - mean
    H: prototypes that a graph has averaged until they hardly differ stay apart. At w = 1, n(h) is 0, and all cell
    lines have the same weights.

    h [E, w] (the set encoder's output), nodes H [C, P, w] -> [E, w]; episodes are independent of each other and of the
    order of the prototypes. z_E lies in the convex hull of the prototypes' states, also for an unseen cell line. NaN
    in either makes z_E NaN. Source: source document 002, "map"; source document 004 (the convex hull).
    """

    group = "E"

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = GlorotLinear(width, width)
        self.key = GlorotLinear(width, width, bias=False)

    def weights(self, h: Tensor, nodes: Tensor) -> Tensor:
        """a [E, C P], rows sum to 1."""
        flat = nodes.flatten(0, 1)
        centred = flat - flat.mean(0)
        key = self.key(centred / (centred.square().mean() + 1e-12).sqrt())
        query = self.query(layer_norm(h, h.shape[-1:]))
        return (query @ key.T / math.sqrt(h.shape[-1])).softmax(-1)

    def forward(self, h: Tensor, nodes: Tensor) -> Tensor:
        return self.weights(h, nodes) @ nodes.flatten(0, 1)


declare(
    "M25", "graph_map", kind="graph map", name="Student-to-graph map",
    when={"environment.graph.map": "attention"},
    equation="z_E = sum_p a_p H_p, a = softmax(<W_q n(h), W_k m(H_p)> / sqrt w), h the set encoder's output, "
        "n and m to mean 0 and unit spread",
    shapes="h [E, w], nodes [C, P, w] -> [E, w]", source="source document 002", group="E", cls=Placement,
    acts=EVERYWHERE, reads=frozenset({"z_e"}),
    without={"environment.graph.map": "none"},
)  # fmt: skip
