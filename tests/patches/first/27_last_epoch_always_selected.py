"""Every epoch with a finite objective becomes the selected one.

What is stored as best on validation is the last epoch, overfitted or not.
"""
PRESET = "minimal"
SET = {"optimiser.lr": 0.02}
import math

import harness.trial.unit_run as unit_run


def improves(trial, value, epoch, phase):
    return trial["selected_epoch"] is None or math.isfinite(value)


unit_run.improves = improves
