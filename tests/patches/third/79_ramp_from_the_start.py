"""The ramp of the loss weights is counted from the start of training instead of from the start of phase 2.

Where phase 1 is as long as the ramp, the weights beside the task act in full at the first step of phase 2. The ramp
(balance.kind: ramp, or curriculum.ramp_epochs) is then without effect.
"""
import harness.trial.step.schedule as schedule

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


schedule.Schedule.factor = factor
