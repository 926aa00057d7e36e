"""In mixed episodes the cell lines of the query pairs are looked up in another order than the pairs stand in.

The Teacher answers for, and every per-line term groups by, the cell line of another pair of the same episode.
"""
PRESET = "rp09"
SET = {}
import numpy as np

import harness.trial.episodes.sampler as sampler
from harness.trial.episodes.sampler import EpisodeBatch


def mixed(support, query, cell_of):
    lookup = np.vectorize(cell_of.__getitem__, otypes=[np.int64])
    return EpisodeBatch(support, query, np.full(len(support), -1), lookup(np.sort(query, axis=1)))


sampler._mixed = mixed
