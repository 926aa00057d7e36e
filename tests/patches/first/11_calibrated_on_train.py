"""Temperature mode `calibrated` fits T on the training pairs and not on validation.

The temperature that every split is divided by is that of pairs which the weights were fitted to, and is too low.
"""
PRESET = "minimal"
SET = {"temperature.mode": "calibrated"}
import harness.trial.score.scoring as scoring

scoring.VALIDATION = "train"
