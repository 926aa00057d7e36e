"""A scheduler of an earlier version is still there: from the second epoch on the learning rate is half of that of the epoch
before. The store says the configured rate in every epoch, and a user who finds that ten epochs are enough has trained
for two."""

import math

from harness.trial.step.trainer import Trainer

PRESET = "minimal"

step = Trainer.step


def broken(self, batch, *, progress, probe):
    for group in self.optimiser.param_groups:
        group["lr"] = self.config.optimiser.lr * 0.5 ** math.floor(progress)
    return step(self, batch, progress=progress, probe=probe)


Trainer.step = broken
