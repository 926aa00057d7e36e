"""The ramp of the weights counts from the first epoch and not from the first epoch of phase 2.

After a phase 1 that is as long as the ramp, every term starts phase 2 with its full weight at once: `balance.epochs` (and
`curriculum.ramp_epochs`) does nothing. Without a phase 1 the ramp is right.
"""
from harness.trial.step.schedule import Schedule

PRESET = "rp24"
SET = {}


def factor(self, term, progress):
    if progress < self.phase1_epochs:
        return float(term.in_phase1)
    if not term.ramps or self.ramp == 0.0:
        return 1.0
    if term.in_phase1 and self.phase1_epochs > 0:
        return 1.0
    return min(1.0, progress / self.ramp)


Schedule.factor = factor
