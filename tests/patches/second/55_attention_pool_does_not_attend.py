"""The softmax of the set encoders' attention runs over the queries and not over the elements of the support set.

With one seed as the only query all weights are 1: attention pooling is a plain sum, whatever the keys say. The output is
still the same for every order of the support pairs, and the parameters of the keys get no gradient.
"""
import math

import torch

from models.environment.set_encoders import HEADS, AttentionBlock

PRESET = "rp25"
SET = {}


def forward(self, x, y):
    q = self.query(x)
    heads = [t.unflatten(-1, (HEADS, -1)).transpose(-3, -2) for t in (q, self.key(y), self.value(y))]
    score = heads[0] @ heads[1].transpose(-1, -2) / math.sqrt(heads[0].shape[-1])
    mixed = (score.softmax(-2) @ heads[2]).transpose(-3, -2).flatten(-2)
    h = self.norm_attention(q + mixed)
    return self.norm_feed(h + torch.relu(self.feed(h)))


AttentionBlock.forward = forward
