"""The number of the epoch is rounded and not cut off: in the second half of the last epoch of phase 1 the energy and the
environment act already, while the weights of the other terms are still those of phase 1. A user who reads a drop of the
loss at the boundary as the work of the curriculum looks at the wrong place."""

import math

from harness.trial.step.trainer import Begun, Trainer
from models.environment.memory import at_epoch

PRESET = "rp24"


def broken(self, batch, progress, sides=None):
    epoch = math.floor(progress + 0.5) + 1
    warm = self.schedule.phase(epoch) == 1
    acting = not warm and self.model.environment.acts
    if acting:
        self.memory = at_epoch(self.memory, self.model.environment.branches, epoch)
    measured = self.measure(batch, warm=warm, sides=sides)
    terms, states = self._losses(measured.step, progress)
    return Begun(measured, terms, states, acting)


Trainer.begin = broken
