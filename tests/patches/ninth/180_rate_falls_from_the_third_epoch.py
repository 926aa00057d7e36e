"""A learning-rate schedule that nobody configured is still there: from the third epoch on each epoch has half the rate of
the one before. The store goes on saying the configured rate, so that a user blames the mechanisms for a training that
comes to a halt."""

import math

from harness.trial.step.trainer import Trainer

PRESET = "rp22"

begin = Trainer.begin


def broken(self, batch, progress, sides=None):
    late = max(0, math.floor(progress) - 1)
    for group in self.optimiser.param_groups:
        group["lr"] = self.config.optimiser.lr * 0.5**late
    return begin(self, batch, progress, sides)


Trainer.begin = broken
