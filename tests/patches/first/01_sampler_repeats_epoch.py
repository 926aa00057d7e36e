"""Every epoch draws the episodes of the first one again.

The generator of the sampler was moved out of the epoch: support and query sets of epoch 2 and later are those of
epoch 1, so most training pairs are never met in another company, and many never at all.
"""
PRESET = "minimal"
SET = {}
from harness.trial.episodes.sampler import CellBatch

_of_epoch = CellBatch.epoch


def epoch(self, epoch):
    if not hasattr(self, "_batches"):
        self._batches = list(_of_epoch(self, epoch))
    yield from self._batches


CellBatch.epoch = epoch
