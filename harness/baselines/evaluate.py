"""Every baseline on one fold: fitted on its training pairs, scored on its evaluation splits."""

from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.metrics import by_cell
from harness.baselines.baseline import BASELINES
from harness.baselines.features import PairFeatures
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
    """
    names = np.asarray(features.dataset.cell_lines)
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(BASELINES):
        started(number, row.name)
        baseline = BASELINES.build(row.key)
        baseline.fit(features, splits.train)
        for split in SCORED:
            pairs = getattr(splits, split)
            logits = baseline.logits(features, pairs)
            table = by_cell(logits, features.labels(pairs), names[features.dataset.cell[pairs]])
            for measured in table.to_dict("records"):
                values = {key: measured[key] if np.isfinite(measured[key]) else None for key in _REPORTED}
                rows.append(
                    {
                        "baseline": row.key,
                        "fold": fold.id,
                        "split": split,
                        "cell_line": measured["cell_line"],
                    }
                    | values
                    | {"note": baseline.note}
                )
    return rows
