"""The memory bank of the contrastive term is never written.

With single-line episodes a step seldom holds two of one line, so the term has no positives and is 0 in most steps.
"""
PRESET = "rp24"
SET = {}
import models.losses.contrastive as contrastive

_write_ring = contrastive.write_ring


def write_ring(columns, pointer, rows):
    _, after = _write_ring(columns, pointer, rows)
    return dict(columns), after


contrastive.write_ring = write_ring
