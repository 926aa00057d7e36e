"""The ranking term compares positives and negatives of different cell lines.

The mask of the cell line is gone; in episodes of mixed lines most compared pairs are of two lines, and what is learned is
which line has many positives.
"""
PRESET = "cross_attention"
SET = {"loss.ranking.weight": 1.0}
from torch.nn.functional import softplus

from models.losses.ranking import PairwiseRanking
from models.losses.term import masked_mean


def forward(self, step, state):
    positive = step.label > 0.5
    if step.logit.shape[1] ** 2 // 4 <= self.max_pairs:
        difference = (step.logit.unsqueeze(2) - step.logit.unsqueeze(1)).flatten(1)
        valid = (positive.unsqueeze(2) & ~positive.unsqueeze(1)).flatten(1)
    else:
        p, n, exists = self._sample(positive, step)
        difference = step.logit.gather(1, p) - step.logit.gather(1, n)
        valid = exists.expand_as(difference)
    weight = valid.to(difference.dtype)
    per_episode = (weight * softplus(-difference / self.tau)).sum(1) / weight.sum(1).clamp(min=1)
    return masked_mean(per_episode, valid.any(1).to(difference.dtype)), {}


PairwiseRanking.forward = forward
