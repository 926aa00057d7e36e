"""The spread of paired differences between the configurations of a run that has been: what a plan is judged by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from analysis.arms import arms
from analysis.contrasts import contrasts
from analysis.criteria import Criterion, criterion_of
from analysis.effects_view import every_unit
from analysis.errors import UserError
from analysis.matched import paired
from analysis.paired import paired_effect
from analysis.power import DEFAULT_SD
from analysis.store import Run

MOST_PAIRS = 200
"""Pairs of configurations that are looked at in a run without arms."""


@dataclass(frozen=True)
class PilotSpread:
    """`sd` of a paired difference between two configurations over seeds (a seed's value is its mean over folds), and the
    `source` of it in words."""

    sd: float
    source: str


def default_spread(by: Criterion) -> PilotSpread | None:
    """Of macro or pooled AUPR on real pairs; None for another criterion, which it says nothing of."""
    if not by.higher_is_better:
        return None
    return PilotSpread(DEFAULT_SD, f"paired SD {DEFAULT_SD:g} AUPR, measured on real pairs (default)")


def pilot_spread(run: Run, by: Criterion) -> PilotSpread:
    """Root of the mean variance over its comparisons with the base, or over its pairs of configurations where it has none.

    Raises UserError for a run of another criterion (its weights are selected otherwise), one without a unit that has
    ended, and one in which no two configurations share two seeds.
    """
    units = every_unit(run)
    judged = {criterion_of(each).label for each in run.table("units")["objective"].dropna()}
    if judged and by.label not in judged:
        raise UserError(
            f"--pilot {run.path}: it selects its weights by {' and '.join(sorted(judged))}, and this sweep by {by.label}; "
            "give a run with the sweep's objective"
        )
    if units[by.key].notna().sum() == 0:
        raise UserError(f"--pilot {run.path}: none of its units has ended with a {by.label} on val_unseen")
    members = [(each.config, each.against) for family in contrasts(arms(run)).values() for each in family]
    if not members:
        members = list(combinations(dict.fromkeys(units["config"]), 2))[:MOST_PAIRS]
    spreads = [paired_effect(paired(units, by, *pair).differences).interval.sd for pair in members]
    known = [spread for spread in spreads if spread == spread]
    if not known:
        raise UserError(
            f"--pilot {run.path}: no two of its configurations have a {by.label} on the same two seeds, so that there is "
            "no spread of their differences"
        )
    return PilotSpread(
        pooled_sd(known), f"paired SD {pooled_sd(known):.4f} of {len(known)} comparisons in {run.name}"
    )


def pooled_sd(spreads: Sequence[float]) -> float:
    """Root of the mean variance of those that are known; NaN of none."""
    known = [spread for spread in spreads if math.isfinite(spread)]
    return math.sqrt(sum(spread**2 for spread in known) / len(known)) if known else math.nan
