"""Baselines on a fold of the harness: within and across cell lines, by distance, and on discordant loci apart."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.distance import by_distance
from analysis.metrics import by_cell
from analysis.schema import MACRO
from harness.baselines.evaluate import SCORED, split_scores
from harness.baselines.features import PairFeatures, Rows
from harness.data.dataset import EncodedDataset
from harness.data.folds import Splits
from harness.shortcuts.loci import discordant
from harness.shortcuts.scorers import on_folds

WITHIN, ACROSS, TESTED = "within cell lines", "across cell lines", "across, test lines"
NAMES = dict(zip(("val_seen", "val_unseen", "test"), (WITHIN, ACROSS, TESTED), strict=True))
"""Split of a fold -> what it says of a baseline; all of them lie on chromosomes that were not trained on."""


class FoldScores(NamedTuple):
    """Rows of AUPR by baseline; of AUPR by distance bin; of AUC on discordant and on other repeated loci."""

    baselines: list[dict[str, Any]]
    distances: list[dict[str, Any]]
    discordant: list[dict[str, Any]]


def fold_scores(
    features: PairFeatures, splits: Splits, *, started: Callable[[str], None] = lambda name: None
) -> FoldScores:
    """Every baseline fitted on the training pairs of the fold and scored on its evaluation splits; best across lines first.

    `started` is called with the name of each before its work.
    """
    dataset = features.dataset
    everything = np.concatenate([getattr(splits, split) for split in SCORED])
    distance = np.asarray(dataset.distance[everything])
    repeated, differing = (mask[everything] for mask in discordant(dataset))
    baselines, distances, apart = [], [], []
    for name, make in on_folds().items():
        started(name)
        baseline = make()
        scores = split_scores(name, baseline, features, splits)
        row: dict[str, Any] = {"baseline": name}
        for split, words in NAMES.items():
            row[words] = _macro(dataset, scores[split], getattr(splits, split), "aupr")
        baselines.append(row | {"sees": baseline.note + baseline.remark})
        logits = np.concatenate([scores[split] for split in SCORED])
        cells = np.asarray(dataset.cell)[everything]
        bins = by_distance(logits, np.asarray(dataset.label[everything]), cells, distance)
        distances.append({"baseline": name, **{f"{each.label} kb": each.aupr for each in bins}})
        apart.append(
            {
                "baseline": name,
                "AUC, discordant loci": _macro(dataset, logits[differing], everything[differing], "auc"),
                "AUC, other repeated loci": _macro(
                    dataset, logits[repeated & ~differing], everything[repeated & ~differing], "auc"
                ),
            }
        )
    chance: dict[str, Any] = {"baseline": "chance"}
    for split, words in NAMES.items():
        chance[words] = _macro(
            dataset, np.zeros(len(getattr(splits, split))), getattr(splits, split), "prevalence"
        )
    order = sorted(range(len(baselines)), key=lambda at: -np.nan_to_num(baselines[at][ACROSS], nan=-1.0))
    ordered = [*(baselines[at] for at in order), chance | {"sees": "nothing: the share of positives"}]
    return FoldScores(ordered, [distances[at] for at in order], [apart[at] for at in order])


def _macro(dataset: EncodedDataset, logits: NDArray[np.float64], pairs: Rows, metric: str) -> float:
    if not len(pairs):
        return float("nan")
    names = np.asarray(dataset.cell_lines)[dataset.cell[pairs]]
    rows = by_cell(logits, np.asarray(dataset.label[pairs]), names)
    return float(next(row[metric] for row in rows if row["cell_line"] == MACRO))
