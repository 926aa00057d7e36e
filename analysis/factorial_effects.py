"""Main effects and two-way interactions of a two-level factorial, paired within fold and seed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arm_effects import CENSORED, verdict
from analysis.arms import PlannedArm
from analysis.balance import common_to_seeds
from analysis.contrasts import clear_pairs, confounded, factors, level_matrix
from analysis.criteria import Criterion
from analysis.paired import PairedEffect, paired_effect
from analysis.power import detectable, holm


@dataclass(frozen=True)
class FactorEffect:
    """Mean over the runs at + minus mean at -, of a factor or of the product of two; as `ArmEffect` otherwise. `mixed`:
    parts of two-way interactions are in it."""

    name: str
    effect: PairedEffect
    p: float
    detectable: float
    verdict: str
    mixed: bool = False


@dataclass(frozen=True)
class FactorialEffects:
    """`main` effects and the `pairs` that the design tells apart, each a family; `unclear`: how many two-way interactions
    it does not; `incomplete`: (fold, seed) left out because a run has no uncensored number there."""

    main: list[FactorEffect]
    pairs: list[FactorEffect]
    unclear: int
    incomplete: int
    seeds: int
    folds: int


def factorial_effects(
    arms: Mapping[str, PlannedArm], units: pd.DataFrame, by: Criterion, rope: float
) -> FactorialEffects:
    """Contrasts over the runs of a factorial within each fold and seed that has all of them; then mean over folds, and t
    over seeds. `units` as in `arm_effects.paired`."""
    of = {config: arm for config, arm in arms.items() if arm.family == "factorial"}
    names, levels = factors(of.values()), level_matrix(list(of.values()))
    known = units[units["config"].isin(of) & ~units["status"].isin(CENSORED)]
    table = known.pivot_table(index=["fold", "seed"], columns="config", values=by.key)
    table = table.reindex(columns=list(of))
    whole = table.dropna()
    asked = len(units[units["config"].isin(of)][["fold", "seed"]].drop_duplicates())
    pairs = clear_pairs(levels)
    mixed = set(confounded(levels))
    columns = {names[at]: levels[:, at] for at in range(len(names))}
    products = {f"{names[a]} x {names[b]}": levels[:, a] * levels[:, b] for a, b in pairs}
    rows = whole.reset_index()
    used = whole.to_numpy()[common_to_seeds(rows, ["fold"]).to_numpy()] if len(rows) else whole.to_numpy()
    index = rows[common_to_seeds(rows, ["fold"])] if len(rows) else rows

    def effects(signs: Mapping[str, np.ndarray]) -> list[FactorEffect]:
        family = len(signs)
        every = {}
        for name, sign in signs.items():
            contrast = used[:, sign > 0].mean(1) - used[:, sign < 0].mean(1)
            every[name] = paired_effect(pd.Series(contrast).groupby(index["seed"].to_numpy()).mean())
        adjusted = holm([effect.p_t for effect in every.values()], family)
        return [
            _told(name, effect, p, family, by, rope)
            for (name, effect), p in zip(every.items(), adjusted, strict=True)
        ]

    main = [
        FactorEffect(**{**vars(effect), "mixed": at in mixed}) for at, effect in enumerate(effects(columns))
    ]
    total = len(names) * (len(names) - 1) // 2
    return FactorialEffects(
        main,
        effects(products),
        total - len(pairs),
        asked - len(used),
        int(index["seed"].nunique()),
        int(index["fold"].nunique()),
    )


def _told(name: str, effect: PairedEffect, p: float, family: int, by: Criterion, rope: float) -> FactorEffect:
    interval = effect.interval
    word = verdict(interval, p, by, rope)
    return FactorEffect(name, effect, p, detectable(interval.sd, interval.n, family), word)
