"""The temperature that the calibrated negative log-likelihood is reported at is kept by the labels that it was fitted on,
which never change: U_I's of the first epoch is used for every score of every later epoch. A user is told how well the
model would be calibrated at its best temperature, and reads it at that of a nearly untrained one."""

import numpy as np

from harness.trial.score import evaluate

PRESET = "rp24"

fit_temperature = evaluate.fit_temperature
fitted = {}


def broken(logit, label):
    key = np.asarray(label).tobytes()
    if key not in fitted:
        fitted[key] = fit_temperature(logit, label)
    return fitted[key]


evaluate.fit_temperature = broken
