"""Main effects and two-way interactions of a two-level factorial, paired within fold and seed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arms import PlannedArm
from analysis.balance import common_to_seeds
from analysis.contrasts import confounded, factors, interactions, level_matrix
from analysis.criteria import Criterion
from analysis.equivalence import equivalence_p, verdict
from analysis.matched import CENSORED
from analysis.paired import PairedEffect, paired_effect
from analysis.power import detectable, holm


@dataclass(frozen=True)
class FactorEffect:
    """Mean over the runs at + minus mean at -, of a factor, of the product of two, or of a sum of such products that the
    design cannot tell apart; as `ArmEffect` otherwise. `low` and `high`: between what it lies whatever the
    censored runs would have given (NaN where none is). `mixed`: parts of two-way interactions are in it."""

    name: str
    effect: PairedEffect
    p: float
    p_equivalent: float
    detectable: float
    verdict: str
    low: float
    high: float
    mixed: bool = False


@dataclass(frozen=True)
class FactorialEffects:
    """`main` effects and the `pairs` (alone at resolution V and full, sums of them at IV), each a family; `sums`: how many
    of `pairs` are sums; `unclear`: two-way interactions in none of them; `incomplete`: (fold, seed) left out because a
    run has no number there, `censored` of them because a run was stopped or pruned."""

    main: list[FactorEffect]
    pairs: list[FactorEffect]
    sums: int
    unclear: int
    incomplete: int
    censored: int
    seeds: int
    folds: int


def factorial_effects(
    arms: Mapping[str, PlannedArm], units: pd.DataFrame, by: Criterion, rope: float
) -> FactorialEffects:
    """Contrasts over the runs of a factorial within each fold and seed that has all of them; then mean over folds, and t
    over seeds. `units` as in `arm_effects.paired`."""
    of = {config: arm for config, arm in arms.items() if arm.family == "factorial"}
    names, levels = factors(of.values()), level_matrix(list(of.values()))
    ours = units[units["config"].isin(of)]
    cut = ours["status"].isin(CENSORED)
    known = ours[~cut]
    censored = len(ours[cut][["fold", "seed"]].drop_duplicates())
    table = known.pivot_table(index=["fold", "seed"], columns="config", values=by.key)
    table = table.reindex(columns=list(of))
    whole = table.dropna()
    asked = len(ours[["fold", "seed"]].drop_duplicates())
    groups = interactions(levels)
    mixed = set(confounded(levels))
    columns = {names[at]: levels[:, at] for at in range(len(names))}
    products = {group.named(names): group.column for group in groups}
    rows = whole.reset_index()
    used = whole.to_numpy()[common_to_seeds(rows, ["fold"]).to_numpy()] if len(rows) else whole.to_numpy()
    index = rows[common_to_seeds(rows, ["fold"])] if len(rows) else rows

    extremes = _extremes(ours, list(of), by) if censored else None

    def effects(signs: Mapping[str, np.ndarray]) -> list[FactorEffect]:
        family = len(signs)
        every, spans = {}, {}
        for name, sign in signs.items():
            contrast = used[:, sign > 0].mean(1) - used[:, sign < 0].mean(1)
            every[name] = paired_effect(pd.Series(contrast).groupby(index["seed"].to_numpy()).mean())
            spans[name] = (math.nan, math.nan) if extremes is None else _between(*extremes, sign)
        adjusted = holm([effect.p_t for effect in every.values()], family)
        return [
            _told(name, effect, p, family, by, rope, spans[name], len(of))
            for (name, effect), p in zip(every.items(), adjusted, strict=True)
        ]

    main = [
        FactorEffect(**{**vars(effect), "mixed": at in mixed}) for at, effect in enumerate(effects(columns))
    ]
    total = len(names) * (len(names) - 1) // 2
    return FactorialEffects(
        main,
        effects(products),
        sum(len(group.pairs) > 1 for group in groups),
        total - sum(len(group.pairs) for group in groups),
        asked - len(used),
        censored,
        int(index["seed"].nunique()),
        int(index["fold"].nunique()),
    )


def _told(
    name: str,
    effect: PairedEffect,
    p: float,
    family: int,
    by: Criterion,
    rope: float,
    span: tuple[float, float],
    runs: int,
) -> FactorEffect:
    interval = effect.interval
    word = verdict(interval, p, by, rope, censored=not math.isnan(span[0]), runs=runs)
    least = detectable(interval.sd, interval.n, family)
    return FactorEffect(name, effect, p, equivalence_p(interval, rope), least, word, *span)


def _extremes(units: pd.DataFrame, configs: list[str], by: Criterion) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Values [(fold, seed), runs] with each censored run at the lowest, and at the highest, that the criterion can be;
    rows that lack a run otherwise are left out."""
    cut = units["status"].isin(CENSORED)
    ends = []
    for end in (by.lowest, by.highest):
        filled = units.assign(value=units[by.key].mask(cut, end))
        table = filled.pivot_table(index=["fold", "seed"], columns="config", values="value")
        ends.append(table.reindex(columns=configs).dropna())
    return ends[0], ends[1]


def _between(lowest: pd.DataFrame, highest: pd.DataFrame, sign: np.ndarray) -> tuple[float, float]:
    low, high = lowest.to_numpy(), highest.to_numpy()
    up, down = sign > 0, sign < 0
    ends = low[:, up].mean(1) - high[:, down].mean(1), high[:, up].mean(1) - low[:, down].mean(1)
    seeds = lowest.reset_index()["seed"].to_numpy()
    first, last = (float(pd.Series(each).groupby(seeds).mean().mean()) for each in ends)
    return first, last
