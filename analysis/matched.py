"""Units of two configurations matched by fold and seed: their differences, and what is in none."""

import math
from dataclasses import dataclass

import pandas as pd

from analysis.balance import common_to_seeds
from analysis.criteria import Criterion

CENSORED = ("stopped", "pruned")
"""Statuses whose units ended early: their missing epochs are not random, and they are in no difference."""


@dataclass(frozen=True)
class Pairs:
    """By seed, each a mean over `folds` folds: `differences`, the `values` of the one and of the `reference` [seeds];
    differences `by_fold` [folds], each a mean over seeds.

    Pairs left out: `censored` (a unit was stopped or pruned), `missing` (a unit has no number), `unbalanced` (folds
    that not all seeds have). `low` and `high`: between what the mean difference lies whatever the censored units
    would have given, each anything that the criterion can be; NaN where none is censored.
    """

    differences: pd.Series
    values: pd.Series
    reference: pd.Series
    by_fold: pd.Series
    censored: int
    missing: int
    unbalanced: int
    folds: int
    low: float
    high: float


def paired(units: pd.DataFrame, by: Criterion, config: str, against: str) -> Pairs:
    """config - against on the same fold and seed, mean over the folds that every seed has.

    `units`: every (config, fold, seed) of the run with `status` and the criterion (NaN where a unit has none).
    """
    first, second = (units[units["config"] == each] for each in (config, against))
    rows = first.merge(second, on=["fold", "seed"], how="outer", suffixes=("_a", "_b"))
    a, b = rows[f"{by.key}_a"], rows[f"{by.key}_b"]
    cut_a, cut_b = rows["status_a"].isin(CENSORED), rows["status_b"].isin(CENSORED)
    cut = cut_a | cut_b
    lacking = ~cut & (a - b).isna()
    whole = rows[~cut & ~lacking].reset_index(drop=True)
    used = whole[common_to_seeds(whole, ["fold"])] if len(whole) else whole
    means = used.groupby("seed")[[f"{by.key}_a", f"{by.key}_b"]].mean()
    values, reference = means[f"{by.key}_a"], means[f"{by.key}_b"]
    low = high = math.nan
    if cut.any():
        known = rows[["seed"]].assign(
            low=a.mask(cut_a, by.lowest) - b.mask(cut_b, by.highest),
            high=a.mask(cut_a, by.highest) - b.mask(cut_b, by.lowest),
        )
        ends = known[~lacking].groupby("seed")[["low", "high"]].mean().mean()
        low, high = float(ends["low"]), float(ends["high"])
    left = len(whole) - len(used)
    return Pairs(
        values - reference,
        values,
        reference,
        (used[f"{by.key}_a"] - used[f"{by.key}_b"]).groupby(used["fold"]).mean(),
        int(cut.sum()),
        int(lacking.sum()),
        left,
        int(used["fold"].nunique()),
        low,
        high,
    )
