"""A pooling window counts only where all of its positions see a base, so that the last, partial window of every sequence
is masked: the last bases of each enhancer and promoter are never read, in training and prediction alike. A user who asks
where in an element the signal lies is told that nothing lies at its end."""

import torch.nn.functional as F

from models.sequence.stem import KmerStem

PRESET = "rp24"

frame = KmerStem._frame


def broken(self, tokens):
    padded, valid, mask = frame(self, tokens)
    windows = F.pad(valid, (0, -valid.shape[1] % self.pool)).unflatten(1, (-1, self.pool))
    whole = windows.all(dim=2)
    whole[:, :1] = mask[:, :1]
    return padded, valid, whole


KmerStem._frame = broken
