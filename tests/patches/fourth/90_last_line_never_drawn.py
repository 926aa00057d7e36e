"""The single-cell sampler never draws the last training cell line.

The number of cell lines that a step chooses from is one too small: the pairs of the last line are in the training split,
are counted and are scored, but no episode is ever made of them. Its Teacher row, prototype and running R_E stay as they began.
"""
PRESET = "minimal"
SET = {}
import numpy as np

from harness.trial.episodes import sampler
from harness.trial.episodes.sampler import CellBatch, EpisodeBatch, rng


def epoch(self, epoch):
    draw = rng(self.seed, "sampler", epoch)
    cells = len(self.pools)
    order = [draw.permutation(pool) for pool in self.pools]
    position = [0] * cells
    last = cells - 1
    share = self.sizes[:last] / self.sizes[:last].sum()
    for _ in range(self.steps):
        rounds = -(-self.per_step // last)
        chosen = np.concatenate(
            [
                draw.choice(last, size=min(last, self.per_step - k * last), replace=False, p=share)
                for k in range(rounds)
            ]
        )
        queries, supports = [], []
        for cell in chosen:
            if position[cell] + self.query > len(order[cell]):
                order[cell], position[cell] = draw.permutation(self.pools[cell]), 0
            start = position[cell]
            position[cell] += self.query
            rest = np.concatenate([order[cell][:start], order[cell][start + self.query :]])
            queries.append(order[cell][start : start + self.query])
            supports.append(draw.choice(rest, size=self.support, replace=False))
        yield EpisodeBatch(
            np.stack(supports), np.stack(queries), chosen, np.repeat(chosen[:, None], self.query, axis=1)
        )


CellBatch.epoch = epoch
