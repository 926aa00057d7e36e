"""The memory bank of the contrastive term never grows beyond the rows of one step.

The place of the next row is not carried over, so that every step overwrites the step before. `loss.contrastive.bank` is read
and the bank has its size, but anchors meet the last step's rows only, and most cell lines are never among the negatives.
"""
import models.losses.contrastive as contrastive
from models.losses.bank import write_ring

PRESET = "rp24"
SET = {"loss.contrastive.weight": 1.0}


def write_at(columns, pointer, rows):
    written, _ = write_ring(columns, pointer, rows)
    return written, pointer


contrastive.write_ring = write_at
