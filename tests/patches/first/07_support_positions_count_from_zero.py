"""At prediction the support set of a cell line is drawn by its count of pairs and not from its own positions.

Positions 0..n-1 of the split are pairs of whichever cell lines come first, so every later cell line gets an environment
that was inferred from the pairs of others.
"""
PRESET = "minimal"
SET = {}
import numpy as np

from harness.trial.episodes.sampler import rng
from harness.trial.score.predict import Predictor


def support_positions(self, split, cell, positions, draws):
    return np.stack(
        [
            rng(self.seed, "support", split, self.cell_names[cell], draw).choice(
                len(positions), size=self.support_size, replace=len(positions) < self.support_size
            )
            for draw in range(draws)
        ]
    )


Predictor.support_positions = support_positions
