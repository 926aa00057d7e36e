"""What each contrast of a run's design did, as rows that a table and a sentence can be made of."""

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
from analysis.waterfall import waterfalls


@dataclass(frozen=True)
class ContrastRow:
    """One contrast: family, name, the change with its interval over seeds, p (of the A/A placebo as it is, of all others
    after Holm), the smallest change that could have been seen, and the verdict."""

    family: str
    name: str
    interval: Interval
    p: float
    detectable: float
    verdict: str


@dataclass(frozen=True)
class ContrastRows:
    """The contrasts of a design on one criterion against +-rope."""

    by: Criterion
    rope: float
    rows: Sequence[ContrastRow]

    @property
    def tested(self) -> list[ContrastRow]:
        """Those that the answer is about: without the A/A placebo and the interactions."""
        return [row for row in self.rows if row.family not in (AA, TOGETHER)]


def contrast_rows(run: Run, known: Preregistration | None) -> ContrastRows | None:
    """As `python -m analysis effects RUN` has them, on the criterion and region that were preregistered; None for a design
    without contrasts, and where no unit has a number."""
    planned = arms(run)
    families = contrasts(planned)
    factorial = bool(factors(planned.values()))
    if not families and not factorial and not run.document(WALK):
        return None
    asked = EffectsQuestion.of(run, known)
    by, rope = asked.by, asked.rope
    units = every_unit(run)
    if units[by.key].notna().sum() == 0:
        return None
    members = [each for family, some in families.items() if family != AA for each in some]
    effects = arm_effects(run, units, members, by, rope, asked.registered)
    placebo = next(iter(arm_effects(run, units, families.get(AA, ()), by, rope)), None)
    rows = list(_of_arms(effects, placebo))
    if factorial:
        told = factorial_effects(planned, units, by, rope)
        rows += [*_of_factors(MAIN, told.main), *_of_factors(TOGETHER, told.pairs)]
    for walk in waterfalls(run, units, by, rope)[1]:
        for fall in walk.falls:
            if fall.effect is not None:
                row = (fall.effect.interval, fall.p, fall.effect.detectable, fall.verdict)
                rows.append(ContrastRow(f"path {walk.title}", fall.name, *row))
    return ContrastRows(by, rope, rows)


def _of_arms(effects: Sequence[ArmEffect], placebo: ArmEffect | None) -> Iterator[ContrastRow]:
    for each in effects:
        word = arm_word(each, placebo)
        yield ContrastRow(
            each.contrast.family, each.contrast.name, each.effect.interval, each.p, each.detectable, word
        )
    if placebo is not None:
        effect = placebo.effect
        yield ContrastRow(AA, placebo.contrast.name, effect.interval, effect.p_t, effect.detectable, "")


def _of_factors(family: str, effects: Sequence[FactorEffect]) -> Iterator[ContrastRow]:
    for each in effects:
        yield ContrastRow(family, each.name, each.effect.interval, each.p, each.detectable, each.verdict)
