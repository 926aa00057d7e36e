"""Of what arrives at the boundary only the gradient of U_I is sent through the sequence side; that of z_I is lost.

Terms on z_I (its sparsity, decoupling that reaches both sides, adversaries on z_I) are computed, logged and never move the
sequence side; a share that is measured by the same route shows 0.
"""
PRESET = "rp24"
SET = {"loss.sparsity.z_i": 1.0, "decouple.reach": "both"}
from harness.trial.step.routing import Boundary, Router

through = Router._through_sequence


def first_alone(self, boundary, arriving):
    return through(self, Boundary(boundary.outputs[:1], boundary.leaves[:1]), arriving[:1])


Router._through_sequence = first_alone
