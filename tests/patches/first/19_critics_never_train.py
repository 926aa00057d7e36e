"""The parameters of the loss terms' own critics and classifiers get no gradient.

The list of what is moved holds the model alone. Adversary and InfoNCE critic stay at random weights, and their gradients
on z_I and z_E are those of noise.
"""
PRESET = "rp25"
SET = {}
from harness.trial.step.trainer import Trainer

_init = Trainer.__init__


def __init__(self, *arguments, **options):
    _init(self, *arguments, **options)
    self.parameters = list(self.model.parameters())


Trainer.__init__ = __init__
