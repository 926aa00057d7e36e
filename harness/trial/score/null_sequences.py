"""What is left of a prediction when every sequence is replaced by null tokens."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from analysis.metrics import by_cell
from harness.data.bases import PAD
from harness.trial.episodes.batches import Encoded
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.step.trainer import Trainer

Row = dict[str, Any]
COLUMNS = {"auc": "auc_null", "aupr": "aupr_null"}
"""Metric of `cells` -> column of the same metric without sequences."""


def score_nulls(
    trainer: Trainer, predictor: Predictor, scores: SplitScores, *, epoch: int, calibration: float | None
) -> SplitScores:
    """The pairs of `scores` with null tokens in place of all sequences, those of support sets too: the same weights, which
    are of `epoch`, the same support pairs of draw 0 and the same T."""
    return predictor.predict(
        trainer.model,
        trainer.reference,
        _encoded(trainer, len(scores.pairs)),
        split=scores.split,
        pairs=scores.pairs,
        label=scores.label,
        cell=scores.cell,
        draws=1,
        warm=trainer.schedule.phase(epoch) == 1,
        memory=trainer.memory,
        calibration=None if calibration is None else torch.tensor(calibration, device=trainer.device),
    )


def add_nulls(rows: Iterable[Row], nulls: SplitScores, cell_names: list[str]) -> None:
    """Enter what `nulls` are worth into the rows of `cells` of the same split, of corrected scores as found."""
    named = np.asarray(cell_names)[nulls.cell]
    figures = {row["cell_line"]: row for row in by_cell(nulls.logit, nulls.label, named)}
    for row in rows:
        of = (row["split"], row["score"], row["prevalence_mode"], row["protocol"])
        if of == (nulls.split, "corrected", "as_found", "exact"):
            row |= {column: figures[row["cell_line"]][metric] for metric, column in COLUMNS.items()}


@torch.no_grad()
def _encoded(trainer: Trainer, pairs: int) -> Encoded:
    """The sequence side of `pairs` pairs of windows that are null from end to end: one pass, since all are the same."""
    device = trainer.device
    enhancer, promoter = (
        torch.full((1, windows.shape[1]), PAD, dtype=torch.uint8, device=device)
        for windows in (trainer.dataset.enhancers, trainer.dataset.promoters)
    )
    output = trainer.model.sequence(enhancer, promoter, None)
    u, z_i, stream = (part.expand(pairs, *part.shape[1:]) for part in (output.u, output.z_i, output.stream))
    return Encoded(u, z_i, stream if trainer.model.dual_stream else z_i)
