"""The macro rows are means over cell lines weighted by their numbers of pairs. Lines with much data decide what is called
a mean over cell lines, which is the number that weights are selected by, that configurations are ranked by and that
the documented baseline is quoted in."""

import numpy as np

from analysis.metrics import METRICS
from analysis.schema import MACRO, POOLED
from harness.trial.score import evaluate

PRESET = "minimal"

by_cell = evaluate.by_cell


def broken(*vectors, **settings):
    rows = by_cell(*vectors, **settings)
    lines = [row for row in rows if row["cell_line"] not in (MACRO, POOLED)]
    (macro,) = (row for row in rows if row["cell_line"] == MACRO)
    for key in METRICS:
        defined = [(row[key], row["n"]) for row in lines if np.isfinite(row[key])]
        if defined:
            values, pairs = zip(*defined, strict=True)
            macro[key] = float(np.average(values, weights=pairs))
    return rows


evaluate.by_cell = broken
