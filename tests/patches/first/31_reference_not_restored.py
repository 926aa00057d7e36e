"""Loading weights leaves the reference of the training cell lines as it was.

The selected epoch is evaluated and predicted with the running values of the last one, by which its R_E is standardised; a
trial that resumes starts with none.
"""
PRESET = "rp25"
SET = {"optimiser.lr": 0.02}
from harness.trial.step.trainer import Trainer

_load = Trainer.load_weights


def load_weights(self, state):
    kept = self.reference
    _load(self, state)
    self.reference = kept


Trainer.load_weights = load_weights
