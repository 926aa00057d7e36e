"""What each arm of an ablation did: paired with what it is compared with, by fold and seed, in families under Holm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.balance import common_to_seeds
from analysis.contrasts import AA, Contrast
from analysis.criteria import Criterion
from analysis.intervals import Interval
from analysis.paired import PairedEffect, paired_effect
from analysis.power import ALPHA, detectable, holm, largest_sd, seeds_for_equivalence
from analysis.store import Run


@dataclass(frozen=True)
class ArmEffect:
    """`effect` of a contrast over seeds, each a mean over folds; of the family (Holm): the adjusted `p` of the t-test and
    `p_flip` of the sign-flip test (NaN where none can be below 0.05), `detectable` at the family's first step.

    `needed`: seeds that a verdict of no effect takes at the spread that was seen. `verdict`: better, worse, no effect,
    unknown. `parameters`: how many more; `step_time`: ratio of seconds per step, evaluation included (NaN where not
    known). Pairs left out: `censored` (a unit was stopped or pruned), `missing` (a unit has no number), `unbalanced`
    (folds that not all seeds have).
    """

    contrast: Contrast
    effect: PairedEffect
    p: float
    p_flip: float
    detectable: float
    needed: int | None
    verdict: str
    parameters: float
    step_time: float
    censored: int
    missing: int
    unbalanced: int
    folds: int


@dataclass(frozen=True)
class Pairs:
    """Differences per seed [seeds], of `folds` folds, and what was left out of them."""

    differences: np.ndarray
    censored: int
    missing: int
    unbalanced: int
    folds: int


def paired(units: pd.DataFrame, by: str, config: str, against: str) -> Pairs:
    """config - against on the same fold and seed, mean over the folds that every seed has.

    `units`: every (config, fold, seed) of the run with `status` and the criterion `by` (NaN where a unit has none).
    """
    first, second = (units[units["config"] == each] for each in (config, against))
    rows = first.merge(second, on=["fold", "seed"], how="outer", suffixes=("_a", "_b"))
    cut = rows["status_a"].isin(CENSORED) | rows["status_b"].isin(CENSORED)
    rows["difference"] = rows[f"{by}_a"] - rows[f"{by}_b"]
    lacking = ~cut & rows["difference"].isna()
    whole = rows[~cut & ~lacking].reset_index(drop=True)
    used = whole[common_to_seeds(whole, ["fold"])] if len(whole) else whole
    per_seed = used.groupby("seed")["difference"].mean().to_numpy(dtype=float)
    left = len(whole) - len(used)
    return Pairs(per_seed, int(cut.sum()), int(lacking.sum()), left, int(used["fold"].nunique()))


CENSORED = ("stopped", "pruned")
"""Statuses whose units ended early: their missing epochs are not random, and they are in no difference."""


def arm_effects(
    run: Run, units: pd.DataFrame, members: Sequence[Contrast], by: Criterion, rope: float
) -> list[ArmEffect]:
    """Effects of one family, all of whose members count for Holm, those without a result included. The A/A placebo is a
    family of its own, which nothing is corrected for."""
    every = [paired(units, by.key, each.config, each.against) for each in members]
    effects = [paired_effect(pairs.differences) for pairs in every]
    family = len(members)
    sizes, times = _sizes(run), _step_times(run)
    results = []
    for contrast, pairs, effect in zip(members, every, effects, strict=True):
        results.append(
            ArmEffect(
                contrast=contrast,
                effect=effect,
                p=effect.p_t,
                p_flip=effect.p_sign_flip,
                detectable=detectable(effect.interval.sd, effect.interval.n, family),
                needed=seeds_for_equivalence(effect.interval.sd, rope),
                verdict="unknown",
                parameters=sizes.get(contrast.config, math.nan) - sizes.get(contrast.against, math.nan),
                step_time=times.get(contrast.config, math.nan) / times.get(contrast.against, math.nan),
                censored=pairs.censored,
                missing=pairs.missing,
                unbalanced=pairs.unbalanced,
                folds=pairs.folds,
            )
        )
    adjusted = holm([each.p for each in results], family)
    flips = holm([each.p_flip for each in results], family)
    told = [replace(each, p=p, p_flip=q) for each, p, q in zip(results, adjusted, flips, strict=True)]
    return [replace(each, verdict=verdict(each.effect.interval, each.p, by, rope)) for each in told]


def verdict(interval: Interval, p: float, by: Criterion, rope: float) -> str:
    """no effect: the 95 % interval lies within +-rope, and there are as many seeds as that takes at the largest SD that
    they are compatible with, so that few seeds that agree by chance do not say it; better, worse: the interval lies on one
    side of 0 and the adjusted p below 0.05; unknown: anything else."""
    sign = interval.verdict(rope)
    if sign == "equal":
        needed = seeds_for_equivalence(largest_sd(interval.sd, interval.n), rope)
        return "no effect" if needed is not None and interval.n >= needed else "unknown"
    if sign == "unknown" or not p < ALPHA:
        return "unknown"
    return "better" if by.gain(interval.mean) > 0 else "worse"


def pooled_sd(spreads: Sequence[float]) -> float:
    """Root of the mean variance of those that are known; NaN of none."""
    known = [spread for spread in spreads if math.isfinite(spread)]
    return math.sqrt(sum(spread**2 for spread in known) / len(known)) if known else math.nan


def within_chance(effect: ArmEffect, placebo: ArmEffect | None) -> bool:
    """Whether the difference is not larger than that of the base to itself under other random streams."""
    if placebo is None or effect.contrast.family == AA:
        return False
    return abs(effect.effect.interval.mean) <= abs(placebo.effect.interval.mean)


def _sizes(run: Run) -> dict[str, float]:
    units = run.table("units").dropna(subset=["parameters"])
    return {
        str(config): float(size) for config, size in units.groupby("config")["parameters"].median().items()
    }


def _step_times(run: Run) -> dict[str, float]:
    """Median over units of seconds per optimiser step, evaluation after each epoch included."""
    epochs = run.table("epochs")
    if epochs.empty:
        return {}
    each = epochs.groupby(["config", "fold", "seed"]).agg({"wall_s": "sum", "step": "max"})
    times = (each["wall_s"] / each["step"]).groupby("config").median()
    return {str(config): float(seconds) for config, seconds in times.items()}
