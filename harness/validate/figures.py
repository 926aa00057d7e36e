"""Recall, false positives and precision of every rule, with exact binomial bounds, from the cases."""

import math
from collections import Counter
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from scipy.stats import binomtest

from analysis.rules import RULES
from harness.validate.cases import FACTORS, Row
from harness.validate.lesson import LAZY, LEARNT, UNDECIDED
from harness.validate.planted import FAULTS
from harness.validate.recipes import RECIPES

PREVALENCE = 0.1
"""Share of faulty units at which precision is stated."""
FAULTY = frozenset(name for name, rule in RULES.items() if rule.severity == "fault")


@dataclass(frozen=True)
class Proportion:
    """`hits` of `of`, with its exact 95 % interval (Clopper and Pearson)."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        return self.hits / self.of if self.of else float("nan")

    @property
    def bounds(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        interval = binomtest(self.hits, self.of).proportion_ci(method="exact")
        return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class RuleFigures:
    """What one rule did on the reporting half. recall: planted cases that it raised; alarms: healthy units, of those on
    which it could be judged, that it accused; every: the same of both halves, which is true of a limit that was not
    tuned; tuned: the multiple of its limit that was best on the tuning half. Precision is by `every`."""

    rule: str
    dose: str
    recall: Proportion
    alarms: Proportion
    every: Proportion
    tuned: float | None

    @property
    def precision(self) -> float:
        """Share of warnings that are right where one unit in ten is faulty."""
        right, wrong = PREVALENCE * self.recall.value, (1 - PREVALENCE) * self.every.value
        return right / (right + wrong) if right + wrong else float("nan")

    @property
    def worst_precision(self) -> float:
        """The same at the lower bound of recall and the upper one of false alarms."""
        right = PREVALENCE * self.recall.bounds[0]
        return right / (right + (1 - PREVALENCE) * self.every.bounds[1])

    def row(self) -> Row:
        return {
            **{name: asdict(self)[name] for name in ("rule", "dose", "tuned")},
            "planted": self.recall.of,
            "recall": self.recall.value,
            "recall_bounds": self.recall.bounds,
            "healthy": self.alarms.of,
            "false_alarms": self.alarms.value,
            "false_alarm_bounds": self.alarms.bounds,
            "all_healthy": self.every.of,
            "false_alarms_of_all": self.every.value,
            "false_alarm_bounds_of_all": self.every.bounds,
            "precision_at_10_percent": self.precision,
            "precision_at_the_bounds": self.worst_precision,
        }


def rule_figures(planted: list[Row], healthy: list[Row]) -> list[RuleFigures]:
    """Every rule with planted faults, in the order of `FAULTS`."""
    figures = []
    for fault in FAULTS:
        cases = [row for row in planted if row["rule"] == fault.rule]
        reported = [row for row in cases if row["half"] == 1]
        recall = Proportion(sum(row["raised"] for row in reported), len(reported))
        tuned = _tuned(fault.rule, [row for row in cases if row["half"] == 0], healthy)
        of_half, of_all = alarms(fault.rule, healthy, 1), alarms(fault.rule, healthy)
        figures.append(RuleFigures(fault.rule, fault.dose, recall, of_half, of_all, tuned))
    return figures


def alarms(rule: str, healthy: list[Row], half: int | None = None) -> Proportion:
    """Healthy units that a rule accuses, of those on which it could be judged."""
    able = [row for row in healthy if rule not in row["unable"] and half in (None, row["half"])]
    return Proportion(sum(rule in row["raised"] for row in able), len(able))


def faulty_shares(healthy: list[Row]) -> dict[str, Proportion]:
    """Healthy units that carry any fault: of all, by recipe and by form."""
    counted: dict[str, Counter[bool]] = {}
    for row in healthy:
        accused = bool(FAULTY & set(row["raised"]))
        for group in ("all", f"recipe {row['recipe']}", f"form {row['form']}"):
            counted.setdefault(group, Counter())[accused] += 1
    return {group: Proportion(count[True], count.total()) for group, count in counted.items()}


@dataclass(frozen=True)
class FaultyRecipe:
    """Units of one recipe that is bound to have a fault: how many the rule of that fault accuses (`raised`), how many have
    it by what measures without the rule (`witnessed`: the audit of a term that drowns, labels of a Student that is lazy),
    of how many of those the rule says so (`both`), and how many carry another fault."""

    recipe: str
    rule: str
    raised: Proportion
    witnessed: int
    both: int
    others: int

    def row(self) -> Row:
        """As a row of JSON."""
        return {
            **asdict(self),
            "raised": self.raised.value,
            "bounds": self.raised.bounds,
            "units": self.raised.of,
        }


def _witnessed(row: Row, rule: str) -> bool:
    if rule == "lazy_teacher":
        return bool(row["lesson"]) and row["lesson"]["verdict"] == LAZY
    return bool(row["drowned"])


def faulty_recipes(rows: list[Row]) -> list[FaultyRecipe]:
    """By recipe, of the units that the rule of its fault could be judged on."""
    figures = []
    for name, recipe in RECIPES.items():
        rule = recipe.fault
        units = [row for row in rows if row["recipe"] == name and rule not in row["unable"]]
        if rule is None or not units:
            continue
        raised = [rule in row["raised"] for row in units]
        has = [_witnessed(row, rule) for row in units]
        others = sum(bool(FAULTY & set(row["raised"]) - {rule}) for row in units)
        both = sum(one and other for one, other in zip(raised, has, strict=True))
        figures.append(FaultyRecipe(name, rule, Proportion(sum(raised), len(units)), sum(has), both, others))
    return figures


def audited_without(healthy: list[Row], accused: list[Row]) -> Proportion:
    """Units that rule inert_mechanism accuses, of those that it could be judged on and that are healthy if the audit is not
    asked: health asks it, so that the rule cannot be wrong on a healthy one."""
    return alarms("inert_mechanism", [*healthy, *accused])


def seconds_by_recipe(rows: list[Row]) -> dict[str, float]:
    """Recipe -> mean seconds of processor time of its trials."""
    taken: dict[str, list[float]] = {}
    for row in rows:
        if not math.isnan(row["seconds"]):
            taken.setdefault(row["recipe"], []).append(row["seconds"])
    return {name: fmean(each) for name, each in taken.items()}


@dataclass(frozen=True)
class Lessons:
    """Units of one recipe with a Teacher, by what the labels say of the Student (see `lesson`), and how many of each the
    rule lazy_teacher accuses."""

    recipe: str
    accused: dict[str, Proportion]

    def row(self) -> Row:
        """As a row of JSON."""
        counted = {
            verdict: {"units": each.of, "accused": each.hits} for verdict, each in self.accused.items()
        }
        return {"recipe": self.recipe, "lazy_teacher": counted}


def lesson_figures(rows: list[Row]) -> list[Lessons]:
    """By recipe, of all units with a Teacher on which the rule could be judged; last of all recipes."""
    taught = [row for row in rows if row["lesson"] and "lazy_teacher" not in row["unable"]]
    figures = []
    for name in [*dict.fromkeys(row["recipe"] for row in taught), "all"]:
        units = [row for row in taught if name in ("all", row["recipe"])]
        accused = {}
        for verdict in (LEARNT, UNDECIDED, LAZY):
            said = ["lazy_teacher" in row["raised"] for row in units if row["lesson"]["verdict"] == verdict]
            accused[verdict] = Proportion(sum(said), len(said))
        figures.append(Lessons(name, accused))
    return figures if taught else []


def _tuned(rule: str, planted: list[Row], healthy: list[Row]) -> float | None:
    """The multiple of the limit with the largest recall less false alarms on the tuning half, nearest to 1 of equals."""
    if not planted or not planted[0]["at"]:
        return None
    able = [row for row in healthy if row["half"] == 0 and rule not in row["unable"]]

    def gain(factor: float) -> tuple[float, float]:
        name = f"{factor:g}"
        recall = Proportion(sum(row["at"][name] for row in planted), len(planted)).value
        wrong = Proportion(sum(row["at"].get(rule, {}).get(name, False) for row in able), len(able)).value
        return round(recall - (wrong if able else 0.0), 6), -abs(factor - 1)

    return max(FACTORS, key=gain)


def summary(
    figures: list[RuleFigures], healthy: list[Row], faulty: list[Row], accused: list[Row]
) -> list[Row]:
    """All figures as rows of JSON."""
    rows = [each.row() for each in figures] + [each.row() for each in faulty_recipes(faulty)]
    rows += [each.row() for each in lesson_figures([*healthy, *faulty])]
    without = audited_without(healthy, accused)
    rows.append({"inert_mechanism_where_the_audit_is_not_asked": asdict(without), "bounds": without.bounds})
    rows.append({"seconds_of_processor_a_trial": seconds_by_recipe([*healthy, *faulty])})
    shares: dict[str, Any] = {
        group: {"units": share.of, "faulty": share.value, "bounds": share.bounds}
        for group, share in faulty_shares(healthy).items()
    }
    return [*rows, {"healthy_units_that_carry_a_fault": shares}]
