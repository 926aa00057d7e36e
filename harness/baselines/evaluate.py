"""Every baseline on one fold: fitted on its training pairs, scored on its evaluation splits."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import UserError
from analysis.metrics import by_cell
from harness.baselines.baseline import BASELINES, Baseline
from harness.baselines.features import PairFeatures, Rows
from harness.config.sweep.use import blamed
from harness.data.folds import Fold, Splits

SCORED = ("val_unseen", "val_seen", "test")
_REPORTED = ("n", "prevalence", "aupr", "auc", "nll")


def evaluate_fold(
    features: PairFeatures,
    fold: Fold,
    splits: Splits,
    *,
    started: Callable[[int, str], None] = lambda number, name: None,
) -> list[dict[str, Any]]:
    """Rows of the table `baselines` (analysis.schema): baseline x split x (cell lines, macro, pooled).

    `started` is called with the number (from 0) and name of each baseline before its work. Every pair of a
    split is scored once; an undefined metric is null.

    Raises
    ------
    UserError
        naming the baseline, for scores that are not one finite number per pair, for one that asks for labels which it
        may not see, and for an error in a person's own file.
    """
    names = np.asarray(features.dataset.cell_lines)
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(BASELINES):
        started(number, row.name)
        baseline = BASELINES.build(row.key)
        scores = split_scores(row.key, baseline, features, splits)
        for split, logits in scores.items():
            pairs = getattr(splits, split)
            cells = names[features.dataset.cell[pairs]]
            for measured in by_cell(logits, features.labels(pairs), cells):
                values = {key: measured[key] if np.isfinite(measured[key]) else None for key in _REPORTED}
                rows.append(
                    {
                        "baseline": row.key,
                        "fold": fold.id,
                        "split": split,
                        "cell_line": measured["cell_line"],
                    }
                    | values
                    | {"note": baseline.note + baseline.remark}
                )
    return rows


def split_scores(
    name: str, baseline: Baseline, features: PairFeatures, splits: Splits
) -> dict[str, NDArray[np.float64]]:
    """Log-odds of the pairs of every evaluation split by a baseline that is fitted on the training pairs.

    Raises
    ------
    UserError
        as `evaluate_fold`; `name` is what the sentence calls the baseline.
    """
    seen = features.hiding(_known(baseline, features, splits.train))
    with blamed(f"baseline {name}"):
        baseline.fit(seen, splits.train)
        return {split: _scores(baseline, seen, getattr(splits, split)) for split in SCORED}


def _known(baseline: Baseline, features: PairFeatures, train: Rows) -> NDArray[np.bool_]:
    """Pairs [N] whose labels the baseline may see."""
    cell = features.dataset.cell
    if baseline.copies:
        return np.isin(cell, np.unique(cell[train]))
    known = np.zeros(len(cell), dtype=bool)
    known[train] = True
    return known


def _scores(baseline: Baseline, features: PairFeatures, pairs: Rows) -> NDArray[np.float64]:
    """The baseline's log-odds of the pairs, checked."""
    scores = np.asarray(baseline.logits(features, pairs))
    if scores.shape != pairs.shape:
        raise UserError(
            f"its scores of {len(pairs)} pairs have the shape {scores.shape}, expected one number per pair"
        )
    wrong = int((~np.isfinite(scores.astype(np.float64))).sum())
    if wrong:
        raise UserError(f"{wrong} of its scores of {len(pairs)} pairs are NaN or infinite, expected log-odds")
    return scores.astype(np.float64)
