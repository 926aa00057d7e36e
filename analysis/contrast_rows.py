"""What each contrast of a run's design did, as the rows that the report, a data frame and a sentence are made of."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.arm_effects import ArmEffect, arm_effects
from analysis.arm_view import arm_word
from analysis.arms import arms
from analysis.contrasts import AA, MAIN, TOGETHER, contrasts, factors
from analysis.criteria import Criterion
from analysis.effects_question import EffectsQuestion
from analysis.effects_view import every_unit
from analysis.factorial_effects import FactorEffect, factorial_effects
from analysis.intervals import Interval
from analysis.preregistration import Preregistration
from analysis.store import Run
from analysis.waterfall import FILE as WALK
from analysis.waterfall import Waterfall, waterfalls

NAN = math.nan
NOWHERE = Interval(NAN, NAN, NAN, NAN, 0)


@dataclass(frozen=True)
class ContrastRow:
    """One contrast: the change of `name` against `reference` with its `interval` over seeds, `p` (of the A/A placebo as it
    is, of all others after Holm), the smallest change that could have been seen, and the verdict that the terminal has:
    what is not larger than the A/A difference is unknown, and the A/A placebo has none. Of an arm also what `ArmEffect`
    says, and its `config`; NaN or empty of another contrast."""

    family: str
    name: str
    reference: str
    interval: Interval
    p: float
    detectable: float
    verdict: str
    p_dunnett: float = NAN
    p_equivalent: float = NAN
    improves: float = NAN
    over_folds: Interval = NOWHERE
    parameters: float = NAN
    step_time: float = NAN
    config: str = ""
    note: str = ""


@dataclass(frozen=True)
class ContrastRows:
    """The contrasts of a design on one criterion against +-rope, in the order of the plan; `measured`: whether any unit
    has a number."""

    by: Criterion
    rope: float
    rows: Sequence[ContrastRow]
    measured: bool

    @property
    def tested(self) -> list[ContrastRow]:
        """Those that the answer is about: without the A/A placebo and the interactions."""
        return [row for row in self.rows if row.family not in (AA, TOGETHER)]


def contrast_rows(
    run: Run, known: Preregistration | None, metric: str | None = None, rope: float | None = None
) -> ContrastRows | None:
    """As `python -m analysis effects RUN` has them; criterion and region default to what was preregistered. None for a
    design without contrasts; UserError for an unknown metric."""
    asked = EffectsQuestion.of(run, known, metric, rope)
    by, width = asked.by, asked.rope
    planned = arms(run)
    families = contrasts(planned)
    factorial = bool(factors(planned.values()))
    if not families and not factorial and not run.document(WALK):
        return None
    units = every_unit(run)
    members = [each for family, some in families.items() if family != AA for each in some]
    effects = arm_effects(run, units, members, by, width, asked.registered)
    placebo = next(iter(arm_effects(run, units, families.get(AA, ()), by, width)), None)
    rows = [_of_arm(each, each.p, arm_word(each, placebo)) for each in effects]
    if placebo is not None:
        rows.append(_of_arm(placebo, placebo.effect.p_t, ""))
    if factorial:
        told = factorial_effects(planned, units, by, width)
        rows += [_of_factor(MAIN, each) for each in told.main]
        rows += [_of_factor(TOGETHER, each) for each in told.pairs]
    for walk in waterfalls(run, units, by, width)[1]:
        rows += _of_steps(walk)
    return ContrastRows(by, width, rows, bool(units[by.key].notna().any()))


def _of_arm(each: ArmEffect, p: float, word: str) -> ContrastRow:
    contrast, effect = each.contrast, each.effect
    return ContrastRow(
        contrast.family,
        contrast.name,
        contrast.reference,
        effect.interval,
        p,
        each.detectable,
        word,
        p_dunnett=each.p_dunnett,
        p_equivalent=each.p_equivalent,
        improves=each.improves,
        over_folds=each.over_folds,
        parameters=each.parameters,
        step_time=each.step_time,
        config=contrast.config,
        note=contrast.note,
    )


def _of_factor(family: str, each: FactorEffect) -> ContrastRow:
    return ContrastRow(
        family,
        each.name,
        "the mean at the other level",
        each.effect.interval,
        each.p,
        each.detectable,
        each.verdict,
        p_equivalent=each.p_equivalent,
        note="parts of two-way interactions are in it" if each.mixed else "",
    )


def _of_steps(walk: Waterfall) -> Iterator[ContrastRow]:
    for fall in walk.falls:
        if fall.effect is not None:
            interval, detectable = fall.effect.interval, fall.effect.detectable
            yield ContrastRow(
                f"path {walk.title}",
                fall.name,
                "the step before",
                interval,
                fall.p,
                detectable,
                fall.verdict,
                config=fall.config,
            )
