"""The sampler's stream leaves the epoch out, so that every epoch trains on the episodes of the first one: the user
pays for more epochs and the model sees no other combination of pairs."""

from harness.trial.episodes.sampler import RandomBatch

PRESET = "cross_attention"

epoch_of = RandomBatch.epoch


def broken(self, epoch):
    return epoch_of(self, 1)


RandomBatch.epoch = broken
