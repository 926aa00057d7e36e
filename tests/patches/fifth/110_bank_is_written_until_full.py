"""The memory bank of the contrast is written until it is full and never again, so that the user's negatives are those
of the first steps for the rest of the training."""

from models.losses.contrastive import Contrastive

PRESET = "rp24"
SET = {"loss.contrastive.bank": 8}

forward = Contrastive.forward


def broken(self, step, state):
    value, after = forward(self, step, state)
    full = state["written"].numel() > 0 and bool((state["written"] >= 0).all())
    return value, dict(state) if full else after


Contrastive.forward = broken
