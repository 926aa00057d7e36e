"""The steps of an ablation path one below the other: what each added, on the seeds that did not choose it."""

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import pandas as pd

from analysis.criteria import Criterion
from analysis.equivalence import verdict
from analysis.matched import CENSORED, paired
from analysis.paired import PairedEffect, paired_effect
from analysis.power import holm
from analysis.store import Run

FILE = "walk.json"


@dataclass(frozen=True)
class Fall:
    """One step: the configuration after it, its `value` on the seeds that report and on those that `chose`, and the paired
    `effect` against the step before (None for the start)."""

    name: str
    config: str
    value: float
    chose: float
    effect: PairedEffect | None
    p: float
    verdict: str


@dataclass(frozen=True)
class Waterfall:
    """A walk in one direction; `left_out`: pairs with a unit that was stopped or pruned, or has no number."""

    title: str
    falls: list[Fall]
    left_out: int


def waterfalls(
    run: Run, units: pd.DataFrame, by: Criterion, rope: float
) -> tuple[list[int], list[Waterfall]]:
    """(seeds that report, the walks) of walk.json; Holm over the steps of a walk. Empty where nothing was walked."""
    walked = run.document(FILE)
    held = [int(seed) for seed in walked.get("reported", [])]
    reported = units[units["seed"].isin(held)]
    choosing = units[units["seed"].isin(walked.get("chosen", []))]
    result = []
    for walk in walked.get("walks", []):
        configs = [str(step["config"]) for step in walk["steps"]]
        pairs = [paired(reported, by, b, a) for a, b in pairwise(configs)]
        effects = [paired_effect(each.differences) for each in pairs]
        adjusted = holm([effect.p_t for effect in effects], len(effects))
        told = []
        for place, step in enumerate(walk["steps"]):
            effect = effects[place - 1] if place else None
            p = adjusted[place - 1] if place else float("nan")
            word = ""
            if effect is not None:
                word = verdict(effect.interval, p, by, rope, censored=bool(pairs[place - 1].censored))
            value, chose = (_mean(some, by.key, configs[place]) for some in (reported, choosing))
            told.append(Fall(str(step["name"]), configs[place], value, chose, effect, p, word))
        result.append(
            Waterfall(str(walk["title"]), told, sum(each.censored + each.missing for each in pairs))
        )
    return held, result


def _mean(units: pd.DataFrame, by: str, config: str) -> float:
    values = units[(units["config"] == config) & ~units["status"].isin(CENSORED)][by].dropna()
    return fmean(values) if len(values) else float("nan")
