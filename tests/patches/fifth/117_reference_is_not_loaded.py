"""Loading a trainer's weights leaves out the running R_E of the cell lines, so that the user's selected epoch is
scored with the standardisation of the last one, and a trial that goes on begins with none."""

from harness.trial.step.trainer import Trainer

PRESET = "minimal"
SET = {"energy.form": "gated", "optimiser.lr": 0.01}

load = Trainer.load_states


def broken(self, state):
    kept = self.reference
    load(self, state)
    self.reference = kept


Trainer.load_states = broken
