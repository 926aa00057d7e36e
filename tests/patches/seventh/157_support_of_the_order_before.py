"""When a cell line has run out of pairs within an epoch and is shuffled anew, the support set is still drawn beside the
same places of the order before: in these episodes alone some query pairs are in their own support set. The Student
learns now and then from the very pairs that it is asked about, which no prediction offers."""

import numpy as np

from harness.trial.episodes.sampler import CellBatch, EpisodeBatch, rng

PRESET = "rp24"


def broken(self, epoch):
    draw = rng(self.seed, "sampler", epoch)
    cells = len(self.pools)
    order = [draw.permutation(pool) for pool in self.pools]
    position = [0] * cells
    share = self.sizes / self.sizes.sum()
    for _ in range(self.steps):
        sizes = [min(cells, self.per_step - done) for done in range(0, self.per_step, cells)]
        chosen = np.concatenate([draw.choice(cells, size=n, replace=False, p=share) for n in sizes])
        queries, supports = [], []
        for cell in chosen:
            beside = order[cell]
            if position[cell] + self.query > len(order[cell]):
                order[cell], position[cell] = draw.permutation(self.pools[cell]), 0
            start = position[cell]
            position[cell] += self.query
            rest = np.concatenate([beside[:start], beside[start + self.query :]])
            queries.append(order[cell][start : start + self.query])
            supports.append(draw.choice(rest, size=self.support, replace=False))
        lines = np.repeat(chosen[:, None], self.query, axis=1)
        yield EpisodeBatch(np.stack(supports), np.stack(queries), chosen, lines)


CellBatch.epoch = broken
