"""Parameters that are single numbers are in no group of the optimiser: learned temperature, lam and w never move.

Matrices are decayed, vectors are not, and scalars fall between the two lists. Their gradients are computed, clipped and
logged.
"""
import torch

import harness.trial.step.trainer as trainer

PRESET = "rp24"
SET = {}

_init = trainer.Trainer.__init__


def init(self, config, dataset, codes, seed, device):
    _init(self, config, dataset, codes, seed, device)
    matrices = [p for p in self.parameters if p.ndim >= 2]
    vectors = [p for p in self.parameters if p.ndim == 1]
    self.optimiser = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": config.optimiser.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=config.optimiser.lr,
    )


trainer.Trainer.__init__ = init
