"""The states of the prototype graph are computed once for evaluation and kept: later predictions use old prototypes.

Without gradients the graph answers from a cache that is never emptied. Training is as before. From the second
evaluation on Teacher and Student-to-graph map are scored with prototypes that are no longer the model's.
"""
import torch

import models.environment.graph as graph

PRESET = "rp13"
SET = {"episode.pseudo_unseen": 0.0, "loss.competition.weight": 0.0}

_forward = graph.PrototypeGraph.forward


def forward(self):
    if torch.is_grad_enabled():
        return _forward(self)
    if "_states" not in self.__dict__:
        self.__dict__["_states"] = _forward(self)
    return self.__dict__["_states"]


graph.PrototypeGraph.forward = forward
