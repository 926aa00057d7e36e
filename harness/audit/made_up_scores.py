"""Rows of `cells` that the trial makes of scores with known answers, compared with what those scores give."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from harness.audit.scored_figures import ScoredFigures
from harness.data.dataset import EncodedDataset
from harness.trial.episodes.sampler import rng
from harness.trial.score.evaluate import CellRows, locus_bins
from harness.trial.score.predict import SplitScores


def strange_rows(scores: Mapping[str, SplitScores], dataset: EncodedDataset, seed: int) -> list[str]:
    """What the trial's own rows make wrong of scores of which the answers differ: the labels' own margins with noise, far
    too large as U_I and far too small as logits, whatever the model has learnt so far. Pairs and labels are those of
    `scores`."""
    made = {}
    for name, part in scores.items():
        noise = rng(seed, "audit", "cells", name).normal(size=len(part.pairs))
        margin = (part.label - 0.5 + noise).astype(np.float32)
        made[name] = replace(part, u=4 * margin, logits=margin[None] / 4)
    figures = ScoredFigures(dataset)
    figures.scored(made, 0)
    rows = CellRows(dataset.cell_lines, seed, locus_bins(dataset))
    return figures.faults(
        rows.rows(made, epoch=0, selection="epoch", prevalences=["as_found"], protocol="exact")
    )
