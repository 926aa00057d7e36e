"""Episodes are drawn ahead into one buffer, which is not refilled in time once per epoch: the step in the middle trains on
the batch of the step before it, and the batch that was meant for it is never seen. A user who counts pairs per epoch, or
compares samplers, counts some twice and misses others."""

from harness.trial.episodes.sampler import CellBatch

PRESET = "minimal"

drawn = CellBatch.epoch


def broken(self, epoch):
    buffer = None
    for place, batch in enumerate(drawn(self, epoch)):
        if place != self.steps // 2 or buffer is None:
            buffer = batch
        yield buffer


CellBatch.epoch = broken
