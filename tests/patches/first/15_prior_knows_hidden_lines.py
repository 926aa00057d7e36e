"""Episodes that hide their cell line's name still let the Gaussian process use that line's own value.

The code that is to be left out gets lost where names are hidden. The extrapolation to unseen lines is trained with the
answer in hand, and only real unseen lines show it.
"""
PRESET = "rp13"
SET = {"environment.prior.extrapolate": "posterior"}
from dataclasses import replace

import harness.trial.step.measure as measure

_without_names = measure.without_names


def without_names(named, hidden):
    return replace(_without_names(named, hidden), hidden=None)


measure.without_names = without_names
