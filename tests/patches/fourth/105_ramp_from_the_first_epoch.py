"""Weights that ramp up count their epochs from the start of training, in place of from the start of phase 2.

When phase 2 begins the ramp is over: all weights jump from 0 to their full value at once.
"""
PRESET = "rp24"
SET = {}
from harness.trial.step.schedule import Schedule


def factor(self, term, progress):
    if progress < self.phase1_epochs:
        return float(term.in_phase1)
    if not term.ramps or self.ramp == 0.0:
        return 1.0
    if term.in_phase1 and self.phase1_epochs > 0:
        return 1.0
    return min(1.0, progress / self.ramp)


Schedule.factor = factor
