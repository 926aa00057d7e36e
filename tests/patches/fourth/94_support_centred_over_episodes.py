"""Support features are centred over all support sets of a call, so that episodes see each other and z_E loses its level.

In training the mean is taken over the cell lines of the step; at prediction a call holds the draws of one cell line alone,
so that what distinguishes this line from the others is exactly what is taken away.
"""
PRESET = "minimal"
SET = {}
from models.environment.set_encoders import SetEncoder


def forward(self, x):
    if x.shape[-2] == 0:
        raise ValueError("a support set is empty: there is nothing to encode")
    return self.encode(x - x.mean((0, 1), keepdim=True))


SetEncoder.forward = forward
