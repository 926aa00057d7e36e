"""Features of cell lines are standardised over all cell lines of the data, those of validation and test included. The
model is given where the unseen cell lines lie among the others, so that what is reported of unseen ones is not that."""

import numpy as np

from harness.trial.episodes import cell_facts

PRESET = "minimal"
SET = {"environment.source": "features"}

feature_scale = cell_facts.feature_scale


def broken(dataset, codes):
    return feature_scale(dataset, np.arange(len(dataset.cell_lines)))


cell_facts.feature_scale = broken
