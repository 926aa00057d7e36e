"""Within an epoch the sampler gives every cell line the same query pairs again and again.

The place in a cell line's permutation is never moved on. Support sets are drawn anew at every step and the permutation at
every epoch, so that batches look different; but an epoch trains on the first `episode.query` pairs of each line only.
"""
import numpy as np

from harness.trial.episodes.sampler import CellBatch, EpisodeBatch, rng

PRESET = "rp13"
SET = {}


def epoch(self, epoch):
    draw = rng(self.seed, "sampler", epoch)
    cells = len(self.pools)
    order = [draw.permutation(pool) for pool in self.pools]
    position = [0] * cells
    for _ in range(self.steps):
        rounds = -(-self.per_step // cells)
        chosen = np.concatenate(
            [
                draw.choice(
                    cells,
                    size=min(cells, self.per_step - k * cells),
                    replace=False,
                    p=self.sizes / self.sizes.sum(),
                )
                for k in range(rounds)
            ]
        )
        queries, supports = [], []
        for cell in chosen:
            start, stop = position[cell], position[cell] + self.query
            if stop > len(order[cell]):
                order[cell], position[cell] = draw.permutation(self.pools[cell]), 0
                start, stop = 0, self.query
            rest = np.concatenate([order[cell][:start], order[cell][stop:]])
            queries.append(order[cell][start:stop])
            supports.append(draw.choice(rest, size=self.support, replace=False))
        yield EpisodeBatch(
            np.stack(supports), np.stack(queries), chosen, np.repeat(chosen[:, None], self.query, axis=1)
        )


CellBatch.epoch = epoch
