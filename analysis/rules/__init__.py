"""Warning rules: `RULES`, and `evaluate`, called after every epoch of a trial and again by the analysis."""

from collections.abc import Mapping

from analysis.errors import UserError, nearest
from analysis.rules.generalisation_gap import GeneralisationGap
from analysis.rules.loose_boundary import LooseBoundary
from analysis.rules.mode_collapse import ModeCollapse
from analysis.rules.negative_loss import NegativeLoss
from analysis.rules.over_capacity import OverCapacity
from analysis.rules.overfit_train import OverfitTrain
from analysis.rules.records import UnitRecords
from analysis.rules.rule import Finding, NotEvaluated, Reading, Rule, Violation
from analysis.rules.thresholds import ThresholdHigh, ThresholdLow

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        OverfitTrain(),
        GeneralisationGap(),
        ModeCollapse(),
        ThresholdLow(),
        ThresholdHigh(),
        LooseBoundary(),
        OverCapacity(),
        NegativeLoss(),
    )
}
"""Rule id -> rule."""

LIMITS: dict[str, float] = {name: value for rule in RULES.values() for name, value in rule.limits.items()}
"""Name of every limit -> default: the rule's id, or `<id>.<part>` for a second limit of the same rule."""


def check_limits(limits: Mapping[str, float]) -> None:
    """Raise UserError for a limit of no rule, naming the nearest one."""
    for name in limits:
        if name not in LIMITS:
            known = ", ".join(LIMITS)
            raise UserError(
                f"limits: '{name}' is no limit of a warning rule{nearest(name, LIMITS)} (known: {known})"
            )


def evaluate(
    unit: UnitRecords, limits: Mapping[str, float] | None = None, *, live: bool = False
) -> list[Finding]:
    """All findings of one unit, in the order of `RULES`, with `limits` in place of the documented ones.

    A rule whose inputs are missing raises nothing here and is named by `not_evaluated`. Raises UserError
    for a limit that no rule has.
    """
    check_limits(limits or {})
    in_force = {**LIMITS, **(limits or {})}
    return [f for rule in RULES.values() for f in rule.findings(unit, in_force, live=live)]


def not_evaluated(unit: UnitRecords) -> dict[str, str]:
    """Rule id -> the input that was missing, for every rule that could not be measured."""
    measured = {rule.id: rule.measure(unit) for rule in RULES.values()}
    return {key: value.missing for key, value in measured.items() if isinstance(value, NotEvaluated)}


__all__ = [
    "LIMITS",
    "RULES",
    "Finding",
    "NotEvaluated",
    "Reading",
    "Rule",
    "UnitRecords",
    "Violation",
    "check_limits",
    "evaluate",
    "not_evaluated",
]
