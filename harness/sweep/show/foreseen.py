"""What a sweep will cost and what it can see, in the lines of a dry run."""

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.contrasts import MAIN, corrected_families
from analysis.criteria import criterion_of
from analysis.equivalence import seeds_needed
from analysis.output import counted
from analysis.pilot import PilotSpread, default_spread
from analysis.power import ALPHA, detectable, seeds_for_sign_flip, smallest_adjusted_p
from harness.config.blocks.design import Staged
from harness.config.sweep.sweep import Sweep
from harness.design.plan import Plan
from harness.sweep.run.preregistered import planned_arms


@dataclass(frozen=True)
class Family:
    """Comparisons that Holm corrects together: its `name`, how many, and over how many `runs` each difference is a mean
    (2: one arm minus another; N: a contrast over all runs of a factorial)."""

    name: str
    size: int
    runs: int = 2


def families_of(sweep: Sweep, plan: Plan) -> list[Family]:
    """Of the plan's arms; of a design without a base, each configuration against the best."""
    design, arms = sweep.config.of_design, planned_arms(plan)
    if isinstance(design, Staged):
        return [Family("steps of a walk", design.walked(sweep.basis))]
    told = {name: sum(map(len, members.values())) for name, members in corrected_families(arms).items()}
    if told:
        runs = len(plan.asked) if MAIN in told else 2
        return [Family(name, size, runs) for name, size in told.items()]
    return [Family("configurations against the best", max(1, max(plan.trials, len(plan.asked)) - 1))]


def sight(sweep: Sweep, plan: Plan, spread: PilotSpread | None) -> Iterator[str]:
    """What the planned seeds can tell, in sentences: detectable difference, smallest p, seeds for no effect."""
    rope, objective = sweep.config.rope, sweep.config.objective
    seeds = len(plan.seeds)
    staged = isinstance(sweep.config.of_design, Staged)
    told = seeds // 2 if staged else seeds
    by = criterion_of(objective)
    half = f" (half of {seeds}: the others choose)" if staged else ""
    if spread is None:
        yield f"no spread of {by.label} is known, so that nothing can be said of differences: give --pilot RUN"
    for family in families_of(sweep, plan):
        who = f"{family.name} ({family.size})"
        if spread is not None:
            sd = spread.sd * (2 / family.runs) ** 0.5
            least = detectable(sd, told, family.size)
            seen = (
                f"a difference of {least:.3g} (80 % power, paired t, Holm over the family)"
                if told > 1
                else "no difference: a t-test takes 2 seeds or more"
            )
            yield f"{who}, {counted(told, 'seed')}{half}: {seen}"
            needed = seeds_needed(sd, by, rope, runs=family.runs)
            yield f"  a verdict of no effect within ±{rope:g} takes {'over 100,000' if needed is None else needed} seeds"
        least_p = smallest_adjusted_p(told, family.size)
        enough = (
            "" if least_p < ALPHA else f"; below {ALPHA:g} from {seeds_for_sign_flip(family.size)} seeds on"
        )
        yield f"  smallest adjusted p of the exact sign-flip test: {least_p:.2g}{enough}"
    if spread is not None:
        yield f"by {spread.source}"
        if len(plan.folds) > 1 and spread == default_spread(by):
            yield (
                f"  that is the spread of one fold: a seed is here the mean over {len(plan.folds)} folds, which spreads "
                "less, so that more can be seen; --pilot RUN tells how much"
            )
