"""Dropout draws the same masks in every step of training.

The step's number no longer reaches the noise, so that a fixed part of every layer is switched off for good in training
and switched on in prediction: a smaller network instead of a regularised one.
"""
PRESET = "rp04"
SET = {}
from harness.trial.step.draws import TrainingDraws
from models.streams import SeededNoise, stream_seed


def noise(self, index):
    if not hasattr(self, "_noise"):
        self._noise = SeededNoise(stream_seed(self.seed, "dropout"), index)
    return self._noise


TrainingDraws.noise = noise
