"""From the second epoch on every epoch begins with an empty optimiser, as after moving its construction into the loop
over epochs: AdamW forgets its moments and takes its first steps of an epoch at full size whatever the gradient is.
Learning curves jump at epoch boundaries, and a longer training looks less worth while than it is."""

import math

from harness.trial.step.trainer import Trainer

PRESET = "minimal"

begin = Trainer.begin


def broken(self, batch, progress, sides=None):
    epoch = math.floor(progress)
    if self.index > 0 and epoch != self.__dict__.get("_of_epoch", epoch):
        self.optimiser.state.clear()
    self._of_epoch = epoch
    return begin(self, batch, progress, sides)


Trainer.begin = broken
