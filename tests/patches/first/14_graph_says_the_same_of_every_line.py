"""The Teacher takes the mean of the prototype graph over cell lines and prototypes at once.

Every cell line gets the same state of the graph, so that the graph tells the Teacher nothing of any of them.
"""
PRESET = "rp12"
SET = {}
from models.environment.teacher import GradientTeacher


def forward(self, cell, nodes):
    known = cell.clamp(min=0)
    z_t = self.table(known)
    if nodes is not None:
        z_t = z_t + nodes.mean((0, 1))
    return self.head(z_t).squeeze(-1)


GradientTeacher.forward = forward
