"""The softmax of the Student-to-graph map runs over the episodes of a step and not over the prototypes: the cell lines of
a step share each prototype out among themselves, and in prediction the support draws of one cell line do. z_E is no
longer inside the prototypes' hull, and depends on which other support sets are computed beside it."""

import math

from torch.nn.functional import layer_norm

from models.environment.placement import Placement

PRESET = "rp13"


def broken(self, h, nodes):
    flat = nodes.flatten(0, 1)
    centred = flat - flat.mean(0)
    key = self.key(centred / (centred.square().mean() + 1e-12).sqrt())
    query = self.query(layer_norm(h, h.shape[-1:]))
    return (query @ key.T / math.sqrt(h.shape[-1])).softmax(0)


Placement.weights = broken
