"""With the first step of phase 2 the optimiser begins anew: its running moments of the sequence side, which has trained
all along, are thrown away, and AdamW's first steps after that are as large as those of the first epoch. A user who reads a
jump of the loss there as the arrival of the environment sees the optimiser forget."""

from harness.trial.step.trainer import Trainer

PRESET = "rp24"

begin = Trainer.begin


def broken(self, batch, progress, sides=None):
    if 0 < progress == self.schedule.phase1_epochs:
        self.optimiser.state.clear()
    return begin(self, batch, progress, sides)


Trainer.begin = broken
