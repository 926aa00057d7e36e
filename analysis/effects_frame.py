"""What each contrast of a design did, as one data frame: the numbers that `python -m analysis effects` prints."""

import math
from typing import Any

import pandas as pd

from analysis.arm_effects import ArmEffect, arm_effects
from analysis.arm_view import arm_word
from analysis.arms import arms
from analysis.contrasts import AA, MAIN, TOGETHER, contrasts, factors
from analysis.effects_question import EffectsQuestion
from analysis.effects_view import every_unit
from analysis.factorial_effects import FactorEffect, factorial_effects
from analysis.preregistration import preregistration
from analysis.store import Run
from analysis.waterfall import waterfalls

COLUMNS = [
    "family", "name", "reference", "criterion", "change", "low", "high", "seeds", "p", "p_dunnett", "p_equivalent",
    "improves", "detectable", "verdict", "fold_low", "fold_high", "parameters", "step_time", "config", "note",
]  # fmt: skip


def effects_frame(run: Run, *, metric: str | None = None, rope: float | None = None) -> pd.DataFrame:
    """One row per contrast of a run's design, in the order of the plan: an arm minus its reference, a factor or an
    interaction, a step of a path. Empty for a run whose design has none; UserError for an unknown metric.

    `change` is the mean over seeds (each a mean over folds), `low` and `high` its 95 % t-interval, `p` after Holm over
    the family (of the A/A placebo as it is); `verdict` as the terminal has it: what is not larger than the A/A
    difference is unknown, and the A/A placebo has none. `detectable` is the smallest change that could have been seen;
    numbers that a design does not have are NaN. `metric` and `rope` default to what was preregistered.
    """
    asked = EffectsQuestion.of(run, preregistration(run), metric, rope)
    by, width = asked.by, asked.rope
    planned, units = arms(run), every_unit(run)
    families = contrasts(planned)
    members = [each for family, some in families.items() if family != AA for each in some]
    placebo = next(iter(arm_effects(run, units, families.get(AA, ()), by, width)), None)
    effects = arm_effects(run, units, members, by, width, asked.registered)
    rows = [_of_arm(each) | {"verdict": arm_word(each, placebo)} for each in effects]
    if placebo is not None:
        rows.append(_of_arm(placebo) | {"p": placebo.effect.p_t, "verdict": ""})
    if factors(planned.values()):
        told = factorial_effects(planned, units, by, width)
        rows += [_of_factor(MAIN, each) for each in told.main]
        rows += [_of_factor(TOGETHER, each) for each in told.pairs]
    for walk in waterfalls(run, units, by, width)[1]:
        for fall in walk.falls:
            if fall.effect is not None:
                interval = fall.effect.interval
                row = {
                    "family": f"path {walk.title}",
                    "name": fall.name,
                    "reference": "the step before",
                    "p": fall.p,
                }
                rows.append(row | _interval(interval) | {"verdict": fall.verdict})
    return pd.DataFrame([row | {"criterion": by.key} for row in rows], columns=COLUMNS)


def _interval(interval: Any) -> dict[str, Any]:
    return {"change": interval.mean, "low": interval.low, "high": interval.high, "seeds": interval.n}


def _of_arm(each: ArmEffect) -> dict[str, Any]:
    contrast = each.contrast
    return {
        "family": contrast.family,
        "name": contrast.name,
        "reference": contrast.reference,
        **_interval(each.effect.interval),
        "p": each.p,
        "p_dunnett": each.p_dunnett,
        "p_equivalent": each.p_equivalent,
        "improves": each.improves,
        "detectable": each.detectable,
        "verdict": each.verdict,
        "fold_low": each.over_folds.low,
        "fold_high": each.over_folds.high,
        "parameters": each.parameters,
        "step_time": each.step_time,
        "config": contrast.config,
        "note": contrast.note,
    }


def _of_factor(family: str, each: FactorEffect) -> dict[str, Any]:
    return {
        "family": family,
        "name": each.name,
        "reference": "the mean at the other level",
        **_interval(each.effect.interval),
        "p": each.p,
        "p_equivalent": each.p_equivalent,
        "improves": math.nan,
        "detectable": each.detectable,
        "verdict": each.verdict,
        "note": "parts of two-way interactions are in it" if each.mixed else "",
    }
