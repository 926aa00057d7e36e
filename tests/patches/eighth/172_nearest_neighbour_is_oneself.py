"""Every prototype is its own nearest neighbour in the graph, and that loop is taken out only after the k nearest are
chosen: each is joined to k - 1 others. A user's graph is sparser than configured, and with one neighbour has no edges."""

import torch
from torch.nn.functional import normalize

from models.environment import graph

PRESET = "rp12"


def broken(x, neighbours):
    unit = normalize(x, dim=-1, eps=1e-8)
    cosine = unit @ unit.T
    nearest = cosine.topk(min(neighbours, x.shape[0] - 1), dim=1).indices
    chosen = torch.zeros_like(cosine).scatter(1, nearest, 1.0).fill_diagonal_(0.0)
    weight = chosen * (1 + cosine) / 2
    return torch.maximum(weight, weight.T)


graph.similarity_edges = broken
