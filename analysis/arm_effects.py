"""What each arm of an ablation did: paired with what it is compared with, by fold and seed, under one Holm family."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.contrasts import AA, Contrast
from analysis.criteria import Criterion
from analysis.dunnett import dunnett_p
from analysis.equivalence import equivalence_p, seeds_needed, verdict
from analysis.folds import corrected_interval, evaluated_share
from analysis.intervals import Interval
from analysis.matched import Pairs, paired
from analysis.paired import PairedEffect, paired_effect, probability_of_improvement
from analysis.power import ALPHA, detectable, holm
from analysis.store import KEYS, Run


@dataclass(frozen=True)
class ArmEffect:
    """`effect` of a contrast over seeds, each a mean over folds; of the family (Holm): the adjusted `p` of the t-test and
    `p_flip` of the sign-flip test (NaN where none can be below 0.05), `detectable` at the family's first step. Beside them
    `p_dunnett` of the arms that share a reference, `p_equivalent` of two one-sided tests against +-rope, and `improves`,
    P(arm better than reference) over units of seeds.

    `needed`: seeds that a verdict of no effect takes at the spread that was seen. `verdict`: better, worse, no effect,
    unknown. `family`: how many Holm corrects for. `over_folds`: the corrected t over folds (NaN of one).
    `parameters`: how many more; `step_time`: ratio of seconds per step, evaluation included, of the processor where it is
    known (NaN where neither is). `pairs` says what was left out, and within which bounds the change lies where a unit was
    censored.
    """

    contrast: Contrast
    effect: PairedEffect
    p: float
    p_flip: float
    p_dunnett: float
    p_equivalent: float
    improves: float
    detectable: float
    needed: int | None
    verdict: str
    family: int
    over_folds: Interval
    parameters: float
    step_time: float
    pairs: Pairs


def arm_effects(
    run: Run,
    units: pd.DataFrame,
    members: Sequence[Contrast],
    by: Criterion,
    rope: float,
    registered: int = 0,
) -> list[ArmEffect]:
    """Effects of one family, all of whose members count for Holm, those without a result included, and at least as many as
    were `registered`. The A/A placebo is a family of its own, which nothing is corrected for."""
    every = [paired(units, by, each.config, each.against) for each in members]
    effects = [paired_effect(pairs.differences) for pairs in every]
    family, share = max(len(members), registered), evaluated_share(run)
    adjusted = holm([each.p_t for each in effects], family)
    flips = holm([each.p_sign_flip for each in effects], family)
    joint = _dunnett(members, every)
    sizes, times = _sizes(run), _step_times(run)
    results = []
    for at, (contrast, pairs, effect) in enumerate(zip(members, every, effects, strict=True)):
        better, worse = (pairs.values, pairs.reference)
        if not by.higher_is_better:
            better, worse = worse, better
        results.append(
            ArmEffect(
                contrast=contrast,
                effect=effect,
                p=adjusted[at],
                p_flip=flips[at],
                p_dunnett=joint[at],
                p_equivalent=equivalence_p(effect.interval, rope),
                improves=probability_of_improvement(better, worse),
                detectable=detectable(effect.interval.sd, effect.interval.n, family),
                needed=seeds_needed(effect.interval.sd, by, rope),
                verdict=verdict(effect.interval, adjusted[at], by, rope, censored=bool(pairs.censored)),
                family=family,
                over_folds=corrected_interval(pairs.by_fold, share),
                parameters=sizes.get(contrast.config, math.nan) - sizes.get(contrast.against, math.nan),
                step_time=times.get(contrast.config, math.nan) / times.get(contrast.against, math.nan),
                pairs=pairs,
            )
        )
    return results


def differs_from_itself(placebo: ArmEffect) -> bool:
    """Whether the A/A placebo says that the base differs from itself, other random streams apart: then something other
    than a mechanism acts, or 1 of 20 happened."""
    return placebo.effect.p_t < ALPHA


def within_chance(effect: ArmEffect, placebo: ArmEffect | None) -> bool:
    """Whether the difference is not larger than that of the base to itself under other random streams."""
    if placebo is None or effect.contrast.family == AA:
        return False
    return abs(effect.effect.interval.mean) <= abs(placebo.effect.interval.mean)


def _dunnett(members: Sequence[Contrast], every: Sequence[Pairs]) -> list[float]:
    """Dunnett's p of the members [members] that share a reference with others, on the seeds that all of them have; NaN for
    the others, and where one of them lacks folds that others have."""
    result = [math.nan] * len(members)
    for reference in dict.fromkeys(each.against for each in members):
        places = [
            at for at, each in enumerate(members) if each.against == reference and len(every[at].differences)
        ]
        if len(places) < 2 or len({every[at].folds for at in places}) > 1:
            continue
        table = pd.concat([every[at].differences for at in places], axis=1, join="inner")
        for at, p in zip(places, dunnett_p(table.to_numpy(dtype=np.float64).T), strict=True):
            result[at] = float(p)
    return result


def _sizes(run: Run) -> dict[str, float]:
    units = run.table("units").dropna(subset=["parameters"])
    return {
        str(config): float(size) for config, size in units.groupby("config")["parameters"].median().items()
    }


def _step_times(run: Run) -> dict[str, float]:
    """Median over units of seconds per optimiser step, evaluation after each epoch included: of processor time, which other
    work on the machine hardly changes, where all trained on a CPU and the store has it, else by the clock. Epochs whose
    steps another unit took say nothing of that."""
    units = run.columns("units", [*KEYS, "shared_epochs", "device"])
    epochs = run.table("epochs").merge(units, on=KEYS)
    epochs["steps"] = epochs.sort_values("epoch").groupby(KEYS)["step"].diff().fillna(epochs["step"])
    epochs = epochs[epochs["epoch"] > epochs["shared_epochs"].fillna(0)]
    if epochs.empty:
        return {}
    counted = (epochs["device"] == "cpu").all() and epochs["cpu_s"].notna().all()
    each = epochs.groupby(KEYS)[["cpu_s" if counted else "wall_s", "steps"]].sum()
    times = (each.iloc[:, 0] / each["steps"]).groupby("config").median()
    return {str(config): float(seconds) for config, seconds in times.items()}
