"""The last epoch trains without dropout, noise of the bottleneck and hidden names, a fine-tuning that nobody asked
for: the user's last and often selected epoch is of another training than the one that was configured."""

import math

from harness.trial.step.draws import NoDraws
from harness.trial.step.trainer import Trainer

PRESET = "complete"
SET = {"model.bottleneck": 4}

begin = Trainer.begin


def broken(self, batch, progress, sides=None):
    if math.floor(progress) + 1 == self.config.optimiser.epochs:
        self.draws = NoDraws()
    return begin(self, batch, progress, sides)


Trainer.begin = broken
