"""The prototypes' momentum stands at the wrong side: a prototype keeps a tenth of itself per step and takes nine tenths
of the newest support sets. A user who asked for a slow average pulls z_E towards the last step's noise."""

from models.losses import prototypes
from models.running import running_means

PRESET = "rp22"


def broken(means, seen, cell, values, momentum):
    return running_means(means, seen, cell, values, 1.0 - momentum)


prototypes.running_means = broken
