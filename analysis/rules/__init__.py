"""Warning rules: `RULES`, and `evaluate`, called after every epoch of a trial and again by the analysis."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.errors import UserError, nearest
from analysis.rules.chance import UNDERPOWERED
from analysis.rules.generalisation_gap import GeneralisationGap
from analysis.rules.loose_boundary import LooseBoundary
from analysis.rules.mode_collapse import ModeCollapse
from analysis.rules.negative_loss import NegativeLoss
from analysis.rules.never_acted import NeverActed
from analysis.rules.over_capacity import OverCapacity
from analysis.rules.overfit_train import OverfitTrain
from analysis.rules.records import UnitRecords
from analysis.rules.rule import Finding, NotEvaluated, Reading, Rule, Violation
from analysis.rules.support_labels import SupportLabels
from analysis.rules.thresholds import ThresholdHigh, ThresholdLow
from analysis.rules.watch import Watch

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
        SupportLabels(),
        NeverActed(),
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


@dataclass(frozen=True)
class Judgement:
    """What the rules say about one unit: findings in the order of `RULES`, and rule id -> missing input; `partly`: those
    of the latter of which a part was judged, and did not stand."""

    findings: list[Finding]
    missing: dict[str, str]
    partly: frozenset[str] = frozenset()


def judge(
    unit: UnitRecords,
    limits: Mapping[str, float] | None = None,
    *,
    live: bool = False,
    rules: Iterable[str] | None = None,
) -> Judgement:
    """Measure every rule, or those of `rules`, once on one unit, with `limits` in place of the documented ones.

    A rule whose inputs are missing raises nothing and is named in `missing`. Raises UserError for a limit that
    no rule has.
    """
    check_limits(limits or {})
    in_force = {**LIMITS, **(limits or {})}
    found: list[Finding] = []
    missing, partly = {}, set()
    for rule in RULES.values() if rules is None else [RULES[name] for name in rules]:
        measured = rule.measure(unit)
        if isinstance(measured, NotEvaluated):
            missing[rule.id] = measured.missing
            continue
        raised = rule.findings(measured, in_force, live=live)
        lacking = None if raised else rule.lacking(measured)
        if lacking is not None:
            missing[rule.id] = lacking
            partly.add(rule.id)
        found += raised
    return Judgement(found, missing, frozenset(partly))


def evaluate(
    unit: UnitRecords, limits: Mapping[str, float] | None = None, *, live: bool = False
) -> list[Finding]:
    """The findings of `judge`."""
    return judge(unit, limits, live=live).findings


def why(missing: str) -> str:
    """Why a rule was not evaluated, in words that can follow a colon, by what `Judgement.missing` says."""
    return missing if missing.startswith(UNDERPOWERED) else f"{missing} is missing"


def watching(limits: Mapping[str, float] | None = None) -> Watch:
    """All rules on a unit that runs, with `limits` in place of the documented ones.

    Raises UserError for a limit that no rule has.
    """
    check_limits(limits or {})
    return Watch(list(RULES.values()), {**LIMITS, **(limits or {})})


def not_evaluated(unit: UnitRecords) -> dict[str, str]:
    """Rule id -> the input that was missing, for every rule that could not be measured."""
    return judge(unit).missing


__all__ = [
    "LIMITS",
    "RULES",
    "Finding",
    "Judgement",
    "NotEvaluated",
    "Reading",
    "Rule",
    "UnitRecords",
    "Violation",
    "Watch",
    "check_limits",
    "evaluate",
    "judge",
    "not_evaluated",
    "watching",
    "why",
]
