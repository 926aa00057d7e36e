"""Criteria by which configurations can be compared, and which question each criterion can decide."""

from dataclasses import dataclass
from math import inf, isfinite

from analysis.errors import UserError, nearest
from analysis.schema import MACRO, POOLED


@dataclass(frozen=True)
class Criterion:
    """A number per unit: `column` of the table `cells` in the row `cell_line` (macro or pooled)."""

    key: str
    label: str
    column: str
    cell_line: str
    higher_is_better: bool
    decides: str
    lowest: float = 0.0
    highest: float = 1.0
    """Ends of the values that it can have."""

    @property
    def span(self) -> str:
        """`[0, 1]`, or `[0, inf)`."""
        return f"[{self.lowest:g}, {self.highest:g}{']' if isfinite(self.highest) else ')'}"

    def possible(self, low: float, high: float) -> bool:
        """Whether an interval lies within what the criterion can be; True for none (NaN)."""
        return not (low < self.lowest or high > self.highest)

    def gain(self, difference: float) -> float:
        """A difference turned so that positive means better."""
        return difference if self.higher_is_better else -difference


CRITERIA: dict[str, Criterion] = {
    c.key: c
    for c in (
        Criterion("aupr", "macro AUPR", "aupr", MACRO, True, "ranking within each unseen cell line"),
        Criterion("pooled_aupr", "pooled AUPR", "aupr", POOLED, True, "ranking across cell lines"),
        Criterion("nll", "NLL", "nll", POOLED, False, "probabilities, in nats per pair", 0.0, inf),
    )
}


OF_OBJECTIVE = {"macro/aupr": "aupr", "pooled/aupr": "pooled_aupr", "macro/nll": "nll", "pooled/nll": "nll"}
"""Level and metric of a sweep's objective -> the criterion that corresponds to it."""


def criterion(key: str) -> Criterion:
    """The criterion of that name; UserError with the nearest name for any other."""
    if key not in CRITERIA:
        raise UserError(f"unknown metric '{key}'{nearest(key, CRITERIA)} (known: {', '.join(CRITERIA)})")
    return CRITERIA[key]


def criterion_of(objective: str) -> Criterion:
    """The criterion that corresponds to an objective, `val_unseen/pooled/aupr`; macro AUPR where a run names none."""
    return CRITERIA[OF_OBJECTIVE.get(objective.partition("/")[2], "aupr")]
