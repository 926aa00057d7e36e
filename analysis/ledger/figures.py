"""Rows of `cells` again from stored logits, by other code than `analysis.metrics`: counts per distinct score."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from analysis.ledger.forms import Floats
from analysis.ledger.unit import UnitLedger
from analysis.schema import MACRO, POOLED, PREVALENCES

SAME = 1e-9
"""Difference of a figure that is rounding, relative to 1 + its size: both are of the same float32 logits, in float64."""
NEAR = 1e-3
"""The same of `nll_calibrated`: two searches for one T stop at a distance from each other."""
COLDEST, HOTTEST = 0.01, 100.0
"""Bounds of that T."""
TIED = 1e-12
"""Difference of two F1 that are equally good."""
HALVINGS = 60
BINS = 15
"""Bins of equal width that the calibration error is over."""
SCORES = {"u_only": "u", "corrected": "logit"}
"""Score of `cells` -> the column of `predictions` that it is of; branch_select is chosen among these two."""
FIGURES = (
    "n",
    "positives",
    "prevalence",
    "aupr",
    "aupr_lift",
    "auc",
    "f1",
    "precision",
    "recall",
    "threshold",
    "threshold_logit",
    "f1_oracle",
    "threshold_oracle",
    "threshold_oracle_logit",
    "nll",
    "brier",
    "ece",
    "nll_calibrated",
    "logit_sd",
    "probability_sd",
)
"""Columns of `cells` that are made again."""
READ = ("split", "cell_line", "score", "prevalence_mode", "protocol", *FIGURES)
"""Columns of `cells` that are read for that."""


class Counts(NamedTuple):
    """Pairs of one group by distinct score, from the highest: positives and negatives there [K], scores [K]; and of all
    pairs the negative log-likelihood and the squared error, summed over positives and over negatives."""

    positive: Floats
    negative: Floats
    score: Floats
    nll: tuple[float, float]
    brier: tuple[float, float]

    @classmethod
    def of(cls, score: Floats, label: NDArray[np.int8]) -> "Counts":
        distinct, which = np.unique(-score, return_inverse=True)
        positive = np.bincount(which, weights=label, minlength=len(distinct)).astype(np.float64)
        negative = np.bincount(which, minlength=len(distinct)).astype(np.float64) - positive
        is_positive = label == 1
        nll = np.logaddexp(0.0, np.where(is_positive, -score, score))
        brier = np.exp(-2.0 * np.logaddexp(0.0, np.where(is_positive, score, -score)))
        return cls(
            positive,
            negative,
            -distinct,
            (nll[is_positive].sum(), nll[~is_positive].sum()),
            (brier[is_positive].sum(), brier[~is_positive].sum()),
        )

    def figures(self, prevalence: float | None, threshold: float, temperature: float) -> dict[str, float]:
        """The columns of FIGURES at a share of positives (None: as found), with a threshold and a temperature (NaN: none)
        chosen elsewhere."""
        positives, negatives = float(self.positive.sum()), float(self.negative.sum())
        n = positives + negatives
        values: dict[str, float] = {"n": n, "positives": positives, "threshold_logit": threshold}
        values["threshold"] = float(expit(threshold))
        one_class = not (positives and negatives)
        if n == 0 or (prevalence is not None and one_class):
            return values
        for_positive, for_negative = 1.0, 1.0
        if prevalence is not None:
            for_positive, for_negative = prevalence * n / positives, (1.0 - prevalence) * n / negatives
        total = for_positive * positives + for_negative * negatives
        values["prevalence"] = for_positive * positives / total
        calibrated = self.likelihood(temperature)
        sums = {"nll": self.nll, "brier": self.brier, "nll_calibrated": calibrated}
        for name, (of_positive, of_negative) in sums.items():
            values[name] = (for_positive * of_positive + for_negative * of_negative) / total
        values |= self._spreads(for_positive, for_negative)
        if one_class:
            return values
        hits, alarms = for_positive * np.cumsum(self.positive), for_negative * np.cumsum(self.negative)
        precision, recall = hits / (hits + alarms), hits / (for_positive * positives)
        values["aupr"] = float(precision @ np.diff(recall, prepend=0.0))
        values["aupr_lift"] = values["aupr"] / values["prevalence"]
        values["f1_oracle"], oracle = self.best_threshold(prevalence)
        values |= {"threshold_oracle_logit": oracle, "threshold_oracle": float(expit(oracle))}
        above = np.cumsum(self.positive) - self.positive
        values["auc"] = float(self.negative @ (above + self.positive / 2) / (positives * negatives))
        if not np.isnan(threshold):
            called = int((self.score >= threshold).sum())
            true, false = (float(part[called - 1]) if called else 0.0 for part in (hits, alarms))
            values["precision"] = true / (true + false) if called else 0.0
            values["recall"] = true / (for_positive * positives)
            values["f1"] = 2 * true / (true + false + for_positive * positives)
        return values

    def likelihood(self, temperature: float) -> tuple[float, float]:
        """Negative log-likelihood at scores / T, summed over positives and over negatives; NaN without a T."""
        if np.isnan(temperature):
            return temperature, temperature
        scaled = self.score / temperature
        of_positive, of_negative = np.logaddexp(0.0, -scaled), np.logaddexp(0.0, scaled)
        return float(self.positive @ of_positive), float(self.negative @ of_negative)

    def temperature(self) -> float:
        """T of the least negative log-likelihood, which is convex in 1 / T: where its slope there changes its sign. NaN
        with one class."""
        if not (self.positive.sum() and self.negative.sum()):
            return float("nan")
        low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            scaled = np.exp(middle) * self.score
            slope = self.score @ (self.negative * expit(scaled) - self.positive * expit(-scaled))
            low, high = (middle, high) if slope < 0 else (low, middle)
        return float(np.exp(-(low + high) / 2))

    def best_threshold(self, prevalence: float | None) -> tuple[float, float]:
        """The highest F1 that any threshold gives, and the highest such threshold: half way to the next lower score, if a
        number lies there; the lowest score itself where all pairs are called. NaN with one class."""
        positives, negatives = self.positive.sum(), self.negative.sum()
        if not (positives and negatives):
            return float("nan"), float("nan")
        ratio = 1.0 if prevalence is None else (1 - prevalence) / prevalence * positives / negatives
        hits, alarms = np.cumsum(self.positive), ratio * np.cumsum(self.negative)
        f1 = 2 * hits / (hits + alarms + positives)
        at = int(np.flatnonzero(f1 >= f1.max() - TIED)[0])
        cut, below = (float(self.score[min(at + ahead, len(self.score) - 1)]) for ahead in (0, 1))
        middle = cut / 2 + below / 2
        return float(f1[at]), middle if below < middle <= cut else cut

    def _spreads(self, for_positive: float, for_negative: float) -> dict[str, float]:
        """Calibration error and standard deviations, at weights of positives and of negatives."""
        weight = for_positive * self.positive + for_negative * self.negative
        total, probability = weight.sum(), expit(self.score)
        excess = for_positive * self.positive - weight * probability
        bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
        values = {"ece": float(np.abs(np.bincount(bins, weights=excess)).sum() / total)}
        for name, of in (("logit_sd", self.score), ("probability_sd", probability)):
            values[name] = float(np.sqrt(weight @ (of - weight @ of / total) ** 2 / total))
        return values


def cells_are_of_the_logits(unit: UnitLedger) -> Iterator[str]:
    """Every row of `cells` of the reported weights is made of the stored logits, by one threshold per score and prevalence,
    which is the best of the unseen validation lines."""
    if unit.predictions.empty:
        return
    counts = counted(unit)
    chosen: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in unit.cells:
        if row["protocol"] == "exact" and row["score"] in SCORES:
            chosen.setdefault((row["score"], row["prevalence_mode"]), []).append(row)
    for score, mode in sorted({(score, mode) for score in SCORES for mode in PREVALENCES} - chosen.keys()):
        yield f"cells has no rows of score {score}, prevalence {mode}, of the reported weights"
    for (score, mode), rows in chosen.items():
        yield from _of_one_threshold(counts, score, mode, rows)


def _of_one_threshold(
    counts: Mapping[tuple[str, str, str], Counts], score: str, mode: str, rows: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    prevalence = PREVALENCES[mode]
    place = f"cells, score {score}, prevalence {mode}"
    thresholds = np.unique([number(row["threshold_logit"]) for row in rows if row["cell_line"] != MACRO])
    if len(thresholds) != 1:
        yield f"{place}: {len(thresholds)} thresholds, and validation chooses one"
        return
    threshold, validation = float(thresholds[0]), counts.get((score, "val_unseen", POOLED))
    temperature = float("nan") if validation is None else validation.temperature()
    made: dict[tuple[str, str], dict[str, float]] = {
        (split, line): each.figures(prevalence, threshold, temperature)
        for (of, split, line), each in counts.items()
        if of == score
    }
    reached = made["val_unseen", POOLED].get("f1")
    best = None if reached is None else counts[score, "val_unseen", POOLED].best_threshold(prevalence)[0]
    if best is not None and reached is not None and abs(best - reached) > SAME:
        yield f"{place}: its threshold gives F1 {reached:.6g} on val_unseen, and the best one {best:.6g}"
    for split in dict.fromkeys(split for split, _ in made):
        of_lines = [values for (of, line), values in made.items() if of == split and line != POOLED]
        made[split, MACRO] = macro_of(of_lines, made[split, POOLED])
    there = {(str(row["split"]), str(row["cell_line"])): row for row in rows}
    for where in there.keys() ^ made.keys():
        yield f"{place}, split {where[0]}, cell line {where[1]}: there are rows of it in one of cells and predictions"
        return
    for (split, line), row in there.items():
        text = figures_differ(row, made[split, line])
        if text:
            yield f"{place}, split {split}, {line}: {text}"
            return


def macro_of(lines: Sequence[Mapping[str, float]], pooled: Mapping[str, float]) -> dict[str, float]:
    """The row of cell lines together: the mean of each figure over those in which it is defined, and `pooled`'s counts."""
    macro = {name: pooled[name] for name in ("n", "positives")}
    for name in FIGURES[2:]:
        defined = [values[name] for values in lines if np.isfinite(values.get(name, np.nan))]
        macro[name] = float(np.mean(defined)) if defined else np.nan
    return macro


def figures_differ(row: Mapping[str, Any], made: Mapping[str, float]) -> str:
    """The first figure of a row of `cells` that is another one than was made of the logits, in words; empty without one."""
    name = unlike(row, made)
    if name is None:
        return ""
    return f"{name} is {number(row[name]):.6g}, and the logits give {made.get(name, np.nan):.6g}"


def unlike(row: Mapping[str, Any], made: Mapping[str, float]) -> str | None:
    """The first figure of a row of `cells` that is another one than was made; None where all agree."""
    for name in FIGURES:
        stored, expected = number(row[name]), made.get(name, np.nan)
        close = NEAR if name == "nll_calibrated" else SAME
        if np.isnan(stored) != np.isnan(expected) or abs(stored - expected) > close * (1 + abs(expected)):
            return name
    return None


def counted(unit: UnitLedger) -> dict[tuple[str, str, str], Counts]:
    """(score, split, cell line or pooled) -> counts of its pairs."""
    label = unit.predictions["label"].to_numpy(dtype=np.int8)
    split = unit.predictions["split"].to_numpy()
    groups = [*unit.groups, *((name, POOLED, np.flatnonzero(split == name)) for name in dict.fromkeys(split))]
    return {
        (score, name, line): Counts.of(unit.column(column)[at], label[at])
        for score, column in SCORES.items()
        for name, line, at in groups
    }


def number(value: Any) -> float:
    """A value of a row; NaN for null."""
    return float("nan") if value is None else float(value)
