"""Support sets are drawn from all training pairs of the cell line, those that the same episode asks about among them.
The Student learns from support sets that hold a part of the queries, and never meets such ones at prediction: what a user
reads as inference from other pairs of a cell line was trained as recognition of the same pairs."""

from harness.trial.episodes.sampler import CellBatch, rng

PRESET = "minimal"

episodes = CellBatch.epoch


def broken(self, epoch):
    draw = rng(self.seed, "support", epoch)
    for batch in episodes(self, epoch):
        support = batch.support.copy()
        for row, cell in enumerate(batch.cell):
            support[row] = draw.choice(self.pools[cell], size=self.support, replace=False)
        yield batch._replace(support=support)


CellBatch.epoch = broken
