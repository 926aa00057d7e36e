"""optimiser.clip is read and acts on nothing: gradients are scaled before they are assigned, and assigned unscaled.

The norm that is logged is the same as ever; a single large gradient moves the weights at full length.
"""
PRESET = "minimal"
SET = {"optimiser.clip": 0.01}
import math

from harness.trial.step.diverged import Diverged
from harness.trial.step.routing import gradient_norm
from harness.trial.step.trainer import Trainer


def _descend(self, gradients):
    norm = gradient_norm(gradients.values())
    if not math.isfinite(norm):
        raise Diverged(f"the gradient norm is {norm} at step {self.index}")
    scale = min(1.0, self.config.optimiser.clip / (norm + 1e-12))
    scaled = {p: g * scale for p, g in gradients.items()}  # noqa: F841
    for parameter in self.parameters:
        parameter.grad = gradients.get(parameter)
    self.optimiser.step()
    self.optimiser.zero_grad(set_to_none=True)
    return norm


Trainer._descend = _descend
