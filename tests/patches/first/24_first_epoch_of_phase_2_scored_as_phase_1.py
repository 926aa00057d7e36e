"""Evaluation counts epochs from 0: the first epoch of phase 2 is scored as one of phase 1.

Its rows, and its predictions where it is selected, are those of U_I alone, with T = 1 and R_E = 0.
"""
PRESET = "rp24"
SET = {}
import harness.trial.evaluation as evaluation

_score_splits = evaluation.score_splits


def score_splits(trainer, predictor, pairs, splits, *, draws, epoch):
    return _score_splits(trainer, predictor, pairs, splits, draws=draws, epoch=epoch - 1)


evaluation.score_splits = score_splits
