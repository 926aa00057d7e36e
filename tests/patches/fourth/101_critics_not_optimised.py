"""The optimiser has the model's parameters and not those of the loss terms: critics and adversaries never learn.

Their gradients are routed and clipped with the others, and nothing moves. InfoNCE lowers an estimate of a random critic,
and the adversary on z_I reverses the gradient of a random classifier.
"""
PRESET = "rp25"
SET = {"decouple.infonce": 1.0, "decouple.grl": 1.0}
import torch

from harness.trial.step.trainer import Trainer

init = Trainer.__init__


def of_model_alone(self, config, dataset, codes, seed, device):
    init(self, config, dataset, codes, seed, device)
    moved = list(self.model.parameters())
    decays = {"weight_decay": config.optimiser.weight_decay}
    self.optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in moved if p.ndim >= 2], **decays},
            {"params": [p for p in moved if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=config.optimiser.lr,
    )


Trainer.__init__ = of_model_alone
