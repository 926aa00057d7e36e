"""The memory bank of the contrastive term is given the step's cell lines in ascending order beside z_E in the order of the
episodes: many a row stands there under another cell line's name. Positives and negatives of later steps are partly
exchanged, and the term that is to pull the support sets of a cell line together pulls strangers together."""

from models.losses import contrastive

PRESET = "rp24"

write_ring = contrastive.write_ring


def broken(columns, pointer, rows):
    return write_ring(columns, pointer, {**rows, "cell": rows["cell"].sort().values})


contrastive.write_ring = broken
