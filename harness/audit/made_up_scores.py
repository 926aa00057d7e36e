"""Rows of `cells` that the trial makes of scores with known answers, compared with what those scores give."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.ledger.figures import SAME
from harness.audit.scored_figures import Figures, ScoredFigures
from harness.data.dataset import EncodedDataset
from harness.trial.episodes.sampler import rng
from harness.trial.score.evaluate import CellRows, locus_bins
from harness.trial.score.predict import SplitScores
from harness.trial.summary import REPORTED, EpochSummary


def strange_rows(scores: Mapping[str, SplitScores], dataset: EncodedDataset, seed: int) -> list[str]:
    """What the trial's own rows make wrong of scores of which the answers differ: the labels' own margins with noise, far
    too large as U_I and far too small as logits, whatever the model has learnt so far. Pairs and labels are those of
    `scores`. Of these rows also what an epoch is summed up as."""
    made = {}
    for name, part in scores.items():
        noise = rng(seed, "audit", "cells", name).normal(size=len(part.pairs))
        margin = (part.label - 0.5 + noise).astype(np.float32)
        made[name] = replace(part, u=4 * margin, logits=margin[None] / 4)
    figures = ScoredFigures(dataset)
    figures.scored(made, 0)
    makes = CellRows(dataset.cell_lines, seed, locus_bins(dataset))
    rows = makes.rows(made, epoch=0, selection="epoch", prevalences=["as_found"], protocol="exact")
    return [*figures.faults(rows), *_strange_summary(rows, figures.made[False, 0])]


def _strange_summary(rows: list[dict[str, Any]], figures: Figures) -> Iterator[str]:
    """The first headline metric that a scheduler would be told of these rows and that is another one."""
    for name, path in REPORTED.items():
        split, line, column = path.split("/")
        wanted = figures.get((split, line, "corrected", "as_found"), {}).get(column, math.nan)
        told = EpochSummary.of(0, rows, path, [], 0.0)
        for what, value in (("the objective", told.objective), (name, told.metrics[name])):
            if math.isfinite(wanted) and not abs(value - wanted) <= SAME * (1 + abs(wanted)):
                yield f"{what} is reported as {value:.6g}, and {path} of the corrected score is {wanted:.6g}"
                return
