"""The parameters of the loss terms are in no group of the optimiser: critics and adversaries stay as they were drawn.

The optimiser is made of the model's parameters. The terms' gradients are computed, routed and clipped with the others, and
nothing steps along them: z_I is made to deceive a classifier that never learns, and the InfoNCE bound is of a random critic.
"""
import torch

from harness.trial.step.trainer import Trainer

PRESET = "rp25"
SET = {}

built = Trainer.__init__


def __init__(self, config, dataset, codes, seed, device):
    built(self, config, dataset, codes, seed, device)
    parameters = list(self.model.parameters())
    self.optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.optimiser.weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=config.optimiser.lr,
    )


Trainer.__init__ = __init__
