"""Invariant risk takes all queries of a step as one cell line: the slope is averaged before it is squared.

The penalty asks for the right scale on average over the step. Cell lines whose slopes are opposite cancel, which is what the
term is there to forbid.
"""
PRESET = "minimal"
SET = {"decouple.irm": 1.0}
import torch

from models.losses.irm import Irm


def forward(self, step, state):
    margin = torch.where(step.label > 0.5, step.logit, -step.logit)
    slope = (-margin * torch.sigmoid(-margin)).flatten()
    known = step.query_cell.flatten() >= 0
    risk = torch.where(known, slope, 0.0).sum() / known.sum().clamp(min=1)
    return risk.square(), {}


Irm.forward = forward
