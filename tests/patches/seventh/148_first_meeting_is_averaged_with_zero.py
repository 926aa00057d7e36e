"""The first time that a cell line is met, its running resistance and z_E become a tenth of what was seen, since they are
averaged with the zeros that they began as. R_E is standardised by a mean and spread that are far too small until
each line was met some twenty times: the gate opens and closes in the first epochs by how often a line was drawn."""

import torch

from models.environment.resistance import Reference
from models.running import running_means

PRESET = "rp25"


def broken(self, cell, r, z_e, momentum=0.9):
    always = torch.ones_like(self.seen)
    new_r, _ = running_means(self.r, always, cell, r, momentum)
    new_z, _ = running_means(self.z_e, always, cell, z_e, momentum)
    _, seen = running_means(self.r, self.seen, cell, r, momentum)
    return Reference(new_r, new_z, seen)


Reference.update = broken
