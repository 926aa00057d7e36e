"""The edges of the prototype graph are computed at the first call and kept, whatever becomes of the prototypes.

Neighbours and their weights are those of the random initial prototypes for the whole training and for every prediction.
"""
PRESET = "rp13"
SET = {}
from models.environment.graph import PrototypeGraph

adjacency = PrototypeGraph.adjacency


def kept(self):
    if "_edges" not in self.__dict__:
        self.__dict__["_edges"] = adjacency(self)
    return self.__dict__["_edges"]


PrototypeGraph.adjacency = kept
