"""Shortcuts that need no sequence: distance, lengths, and how often an element is positive; each held out from itself."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.clustering import LOCUS_BP, design_effect
from analysis.metrics import by_cell
from analysis.schema import MACRO, POOLED
from harness.baselines.baseline import Baseline
from harness.baselines.distance import Distance
from harness.baselines.features import PairFeatures, Rows
from harness.data.dataset import EncodedDataset
from harness.shortcuts.scorers import EnhancerPropensity, Lengths, PromoterPropensity

PARTS = 5
LIMIT = 0.65
"""An AUC whose lower end lies above it gives labels away."""


class Parting(NamedTuple):
    """How pairs were parted into those that a scorer is fitted on and those that it scores: in words, and (fitted, scored)
    of every part."""

    how: str
    parts: Sequence[tuple[Rows, Rows]]


class Telltale(NamedTuple):
    """AUC of a shortcut, mean over cell lines weighted by pairs, with `low` two standard errors below; macro AUPR beside
    the prevalence; over `pairs`. `flag` names the fault where the shortcut gives labels away, else it is empty."""

    shortcut: str
    parted: str
    pairs: int
    auc: float
    low: float
    aupr: float
    prevalence: float
    flag: str

    @property
    def gives_away(self) -> bool:
        return self.low > LIMIT


def telltales(features: PairFeatures, source: Parting | None) -> list[Telltale]:
    """Every shortcut: distance and lengths on chromosomes that they were not fitted on, propensities on the `source`'s own
    split, or on random parts where it has none; and, without a flag, what a random split would give away."""
    dataset = features.dataset
    apart, drawn = by_chromosome(dataset), at_random(dataset)
    asked: list[tuple[str, str, Callable[[], Baseline], Parting]] = [
        ("distance", "distance_shortcut", Distance, apart),
        ("lengths", "length_shortcut", Lengths, apart),
        ("propensity of the promoter", "promoter_propensity", PromoterPropensity, source or drawn),
        ("propensity of the enhancer", "enhancer_propensity", EnhancerPropensity, source or drawn),
    ]
    if source is not None:
        asked += [
            ("propensity of the promoter", "", PromoterPropensity, drawn),
            ("propensity of the enhancer", "", EnhancerPropensity, drawn),
        ]
    return [telltale(name, flag, make, features, parting) for name, flag, make, parting in asked]


def telltale(
    name: str, flag: str, make: Callable[[], Baseline], features: PairFeatures, parting: Parting
) -> Telltale:
    """The shortcut of one scorer; one that can be fitted on no part says nothing (AUC 0.5)."""
    dataset = features.dataset
    scored = np.concatenate([test for _, test in parting.parts])
    logits = np.concatenate([_logits(make(), features, *part) for part in parting.parts])
    label, cell = np.asarray(dataset.label[scored]), np.asarray(dataset.cell_lines)[dataset.cell[scored]]
    rows = by_cell(logits, label, cell)
    macro = next(row for row in rows if row["cell_line"] == MACRO)
    lines = [row for row in rows if row["cell_line"] not in (MACRO, POOLED) and np.isfinite(row["auc"])]
    pairs = np.array([row["n"] for row in lines], dtype=float)
    if not lines:
        nothing = float("nan")
        return Telltale(name, parting.how, len(scored), nothing, nothing, nothing, float(label.mean()), "")
    auc = float(np.average([row["auc"] for row in lines], weights=pairs))
    loci = np.asarray(dataset.promoter_chrom[scored], dtype=np.int64) * (1 << 32)
    loci = loci + np.asarray(dataset.promoter_start[scored]) // LOCUS_BP
    error = np.sqrt(
        _null_variance(lines, pairs) * np.nan_to_num(design_effect(logits, label, cell, loci), nan=1.0)
    )
    found_out = Telltale(
        name, parting.how, len(scored), auc, auc - 2 * float(error), macro["aupr"], float(label.mean()), flag
    )
    return found_out if found_out.gives_away else found_out._replace(flag="")


def by_chromosome(dataset: EncodedDataset) -> Parting:
    """Up to `PARTS` groups of chromosomes of about equal size, each scored by the others; of one alone random parts."""
    sizes = np.bincount(dataset.chrom, minlength=len(dataset.chromosomes))
    count = min(PARTS, int((sizes > 0).sum()))
    if count < 2:
        return at_random(dataset)
    group, load = np.zeros(len(sizes), dtype=np.int64), np.zeros(count)
    for code in np.argsort(-sizes, kind="stable"):
        group[code] = int(np.argmin(load))
        load[group[code]] += sizes[code]
    return _parted(group[dataset.chrom], f"{count} groups of chromosomes")


def at_random(dataset: EncodedDataset) -> Parting:
    """`PARTS` random parts of the pairs, from a fixed seed."""
    part = np.random.default_rng(0).integers(0, PARTS, len(dataset))
    return _parted(part, f"{PARTS} random parts")


def of_source(dataset: EncodedDataset) -> Parting | None:
    """The source's own split: val and test scored by train; None where it has none of both."""
    train = np.flatnonzero(dataset.given_split == dataset.split_names.index("train"))
    others = np.flatnonzero(
        (dataset.given_split >= 0) & (dataset.given_split != dataset.split_names.index("train"))
    )
    return Parting("the source's split", [(train, others)]) if len(train) and len(others) else None


def _parted(part: NDArray[np.int64], how: str) -> Parting:
    numbers = [number for number in np.unique(part) if 0 < (part == number).sum() < len(part)]
    return Parting(how, [(np.flatnonzero(part != n), np.flatnonzero(part == n)) for n in numbers])


def _logits(baseline: Baseline, features: PairFeatures, train: Rows, test: Rows) -> NDArray[np.float64]:
    label = features.dataset.label[train]
    if label.min() == label.max():
        return np.zeros(len(test))
    known = np.zeros(len(features.dataset), dtype=bool)
    known[train] = True
    seen = features.hiding(known)
    baseline.fit(seen, train)
    return baseline.logits(seen, test)


def _null_variance(lines: Sequence[dict[str, Any]], pairs: NDArray[np.float64]) -> float:
    """Variance of the weighted AUC where nothing is told apart: (n + 1) / (12 n+ n-) of each cell line (Mann-Whitney)."""
    positives = np.array([row["positives"] for row in lines], dtype=float)
    each = (pairs + 1) / (12 * positives * (pairs - positives))
    return float(((pairs / pairs.sum()) ** 2 * each).sum())
