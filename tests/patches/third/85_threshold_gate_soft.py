"""The two arguments of the threshold gate's straight-through value are the wrong way round: the gate is never hard.

The value should be 1 or 0 with the gradient of a sigmoid. It is the sigmoid itself, in training and in prediction, so
that energy.form: threshold_gate is a smooth gate and no cell line is ever open or closed.
"""
import torch

import models.energy.gates as gates

PRESET = "minimal"
SET = {"energy.form": "threshold_gate"}


def gate(self, r):
    soft = torch.sigmoid(r - self.tau)
    return gates.surrogate(soft, (r > self.tau).to(r.dtype))


gates.ThresholdGateEnergy.gate = gate
