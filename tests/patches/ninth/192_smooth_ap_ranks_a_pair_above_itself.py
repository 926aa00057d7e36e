"""Smooth average precision counts every positive among the pairs above itself, half a place each: no order of pairs has
precision 1 any more, and the loss goes on pushing where it should be content. A user takes the rest of the loss for
mistakes of the model."""

import torch

from models.losses.ranking import SmoothApRanking
from models.losses.term import masked_mean

PRESET = "complete"


def broken(self, step, state):
    positive = (step.label > 0.5).to(step.logit.dtype)
    same = (step.query_cell.unsqueeze(2) == step.query_cell.unsqueeze(1)).to(step.logit.dtype)
    above = same * torch.sigmoid((step.logit.unsqueeze(1) - step.logit.unsqueeze(2)) / self.tau)
    others = above * (1 - torch.eye(step.logit.shape[1], dtype=same.dtype, device=same.device))
    precision = (1 + (others * positive.unsqueeze(1)).sum(2)) / (1 + above.sum(2))
    has_negative = ((same * (1 - positive).unsqueeze(1)).sum(2) > 0).to(precision.dtype)
    counted = positive * has_negative
    per_episode = (counted * precision).sum(1) / counted.sum(1).clamp(min=1)
    return masked_mean(1 - per_episode, (counted.sum(1) > 0).to(precision.dtype)), {}


SmoothApRanking.forward = broken
