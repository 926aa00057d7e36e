"""A step of grad_norm is counted as it is weighed and again as it is kept, so that the shares of the user's terms are
in full force after half of the warm-up that was asked for."""

from harness.trial.step.balance import GradNorm

PRESET = "complete"
SET = {"model.bottleneck": 4}

held = GradNorm._held


def broken(self, term, norm, task, state):
    weight, after = held(self, term, norm, task, state)
    name = f"steps/{term.name}"
    return weight, {**after, name: after[name] + 1}


GradNorm._held = broken
