"""The competition books every episode as one of a seen cell line, also those whose name is hidden.

The standing on pseudo-unseen episodes stays empty, so its warm-up never ends and push-away never acts; rho_c and pull-in
are made of both kinds of episodes.
"""
PRESET = "rp13"
SET = {"loss.competition.warmup": 2, "loss.competition.weight": 1.0}
import torch

from models.losses.competition import Competition

_after = Competition._standings_after


def _standings_after(self, step, state, values, hidden):
    return _after(self, step, state, values, torch.zeros_like(hidden))


Competition._standings_after = _standings_after
