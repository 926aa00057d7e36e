"""The contrastive loss scales z_E to length 1 along the wrong axis: every dimension over the episodes of the step, and
not every episode over its dimensions. Similarities are no cosines any more, and what goes into the bank depends on who
else was in the step; a user's tau of 0.2 means another sharpness in every step."""

from torch.nn.functional import normalize

from models.losses import contrastive

PRESET = "rp24"


def broken(z, dim=-1, eps=1e-8):
    return normalize(z, dim=0, eps=eps)


contrastive.normalize = broken
