"""The gated energy multiplies U_I by a gate of a detached R_E, so that the task never trains the environment.

The gate is as open as R_E says, in training and in prediction; only nothing tells the environment which way to go.
"""
PRESET = "rp25"
SET = {}
from models.energy.gates import GatedEnergy


def forward(self, u, r, temperature):
    return u * self.gate(r.detach()) / temperature


GatedEnergy.forward = forward
