"""Precision on a fixed grid of recall."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_curve

GRID = np.linspace(0.0, 1.0, 101)
"""Recall at which curves of several seeds can be averaged."""


def precision_on_grid(label: ArrayLike, logit: ArrayLike) -> np.ndarray:
    """Precision [101] at the highest threshold that reaches each recall of GRID; NaN without a positive pair.

    Labels are 0 or 1, equal logits are called together. Its mean over recall comes to the average precision as the grid
    becomes fine: nothing is interpolated.
    """
    labels = np.asarray(label)
    if not (labels == 1).any():
        return np.full(len(GRID), np.nan)
    precision, recall, _ = precision_recall_curve(labels, np.asarray(logit, dtype=np.float64))
    # scikit-learn ends with the made-up point of recall 0 and precision 1.
    precision, recall = precision[:-1][::-1], recall[:-1][::-1]
    at = np.searchsorted(recall, GRID - 1e-12, side="left")
    curve: np.ndarray = precision[np.minimum(at, len(precision) - 1)]
    return curve


def seed_curves(predictions: pd.DataFrame, *, macro: bool) -> np.ndarray:
    """A curve per seed [seeds, 101]: the mean over its folds, and where `macro` over cell lines, of `precision_on_grid`;
    else of all pairs of a fold together. `predictions` has fold, seed, cell_line, label and logit."""
    of = ["fold", "seed", *(["cell_line"] if macro else [])]
    curves: dict[int, list[np.ndarray]] = {}
    for _, rows in predictions.groupby(of, observed=True):
        curve = precision_on_grid(rows["label"], rows["logit"])
        curves.setdefault(int(rows["seed"].iloc[0]), []).append(curve)
    means = [np.nanmean(each, axis=0) for each in curves.values() if not np.isnan(each).all()]
    return np.array(means).reshape(-1, len(GRID))
