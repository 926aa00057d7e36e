"""Logits of the test split go through bfloat16, a saving of memory: neighbouring pairs are
tied there, and the test metrics and stored test predictions are of other numbers than the model gave. Validation is exact,
so that a user sees a difference of the splits that is none of the model's."""

from dataclasses import replace

import torch

from harness.trial.score.predict import Predictor

PRESET = "rp04"

predict = Predictor.predict


def broken(self, *inputs, split, **arguments):
    scores = predict(self, *inputs, split=split, **arguments)
    if split != "test":
        return scores
    return replace(scores, logits=torch.from_numpy(scores.logits).bfloat16().float().numpy())


Predictor.predict = broken
