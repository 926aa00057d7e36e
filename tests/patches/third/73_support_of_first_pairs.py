"""In prediction the support pairs of a cell line are picked from the first pairs of the split, whoever they belong to.

Numbers 0 to n - 1 are drawn for a cell line with n pairs and are used as places in the whole split. Only where a split
has one cell line alone is that the same. In all others R_E is inferred from pairs of other cell lines.
"""
import numpy as np

import harness.trial.score.predict as predict

PRESET = "minimal"
SET = {}


def support_positions(self, split, cell, positions, draws):
    count = len(positions)
    return np.stack(
        [
            predict.rng(self.seed, "support", split, self.cell_names[cell], draw).choice(
                count, size=self.support_size, replace=count < self.support_size
            )
            for draw in range(draws)
        ]
    )


predict.Predictor.support_positions = support_positions
