"""The memory bank of the contrastive term is written at its first places again and again: its pointer is not moved.

The bank never holds more than the rows of one step, whatever its configured size: no cross-batch negatives or positives
beyond those of the step before.
"""
PRESET = "rp24"
SET = {"loss.contrastive.weight": 1.0}
from models.losses.contrastive import Contrastive

forward = Contrastive.forward


def stays(self, step, state):
    value, after = forward(self, step, state)
    return value, {**after, "pointer": state["pointer"]}


Contrastive.forward = stays
