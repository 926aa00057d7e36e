"""The edges of the prototype graph carry no gradient, and somebody makes them once, where the prototypes are drawn: they
join what was near at random before the first step, and never what training has brought together. A user who reads that
related cell lines inform each other is shown a random graph."""

from models.environment.graph import PrototypeGraph

PRESET = "complete"

reset_parameters, adjacency = PrototypeGraph.reset_parameters, PrototypeGraph.adjacency


def broken_reset(self):
    reset_parameters(self)
    self.register_buffer("edges", adjacency(self), persistent=False)


def broken_adjacency(self):
    return self.edges


PrototypeGraph.reset_parameters = broken_reset
PrototypeGraph.adjacency = broken_adjacency
