"""A falsifiable prediction and what was measured of it: parts with an interval each, and one verdict."""

import math
from dataclasses import dataclass, field
from typing import Literal

from scipy import stats

from analysis.intervals import Interval

Answer = Literal["supported", "refuted", "undecided", "not evaluated"]
NOTHING = Interval(math.nan, math.nan, math.nan, math.nan, 0)
"""Of what was not measured."""


@dataclass(frozen=True)
class LineValue:
    """What a part says of one cell line: a number with its name, and what it means in words."""

    cell_line: str
    what: str
    value: float
    said: str = ""


@dataclass(frozen=True)
class ClaimPart:
    """One measured statement of a prediction.

    `interval` (t over seeds, of `what`) is judged against `limit`; `evidence`: what else was seen, a sentence each;
    `lines`: which cell lines; `change`: what would give another answer; `missing`: the input that the store has not,
    where it is not evaluated.
    """

    name: str
    answer: Answer
    what: str = ""
    interval: Interval = NOTHING
    limit: float = math.nan
    evidence: tuple[str, ...] = ()
    lines: tuple[LineValue, ...] = ()
    change: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Claim:
    """A prediction of one configuration: its parts, and the answer that they give together."""

    key: str
    statement: str
    parts: tuple[ClaimPart, ...] = field(default_factory=tuple)

    @property
    def answer(self) -> Answer:
        """refuted where a part is; supported where all are; not evaluated where none could be; else undecided."""
        answers = {part.answer for part in self.parts}
        if "refuted" in answers:
            return "refuted"
        if len(answers) == 1:
            return next(iter(answers))
        return "undecided"


def unevaluated(name: str, missing: str) -> ClaimPart:
    """A part whose input the store has not."""
    return ClaimPart(name, "not evaluated", missing=missing)


def above(interval: Interval, limit: float) -> Answer:
    """supported: all of the interval lies above the limit; refuted: all of it below; undecided, also without one."""
    if interval.low > limit:
        return "supported"
    return "refuted" if interval.high < limit else "undecided"


def below(interval: Interval, limit: float) -> Answer:
    """supported: all of the interval lies below the limit; refuted: all of it above; undecided, also without one."""
    turned: dict[Answer, Answer] = {"supported": "refuted", "refuted": "supported"}
    answer = above(interval, limit)
    return turned.get(answer, answer)


def change_of(interval: Interval, limit: float, answer: Answer) -> str:
    """What would change an answer about an interval and a limit: how far its end is from it, or how many seeds."""
    if interval.n < 2 or not math.isfinite(interval.sd):
        return "an interval, which takes at least 2 seeds"
    if answer in ("supported", "refuted"):
        end = min((interval.low, interval.high), key=lambda each: abs(each - limit))
        return f"an interval that reaches {limit:.4g}: its nearer end is {abs(end - limit):.2g} away"
    needed = seeds_apart(interval, limit)
    if needed is None:
        return f"a value that differs from {limit:.4g} by more than its spread over seeds"
    return f"about {needed} seeds, if their mean and spread stay as they are"


def seeds_apart(interval: Interval, limit: float, most: int = 1000) -> int | None:
    """Fewest seeds whose t-interval of this mean and SD leaves the limit out; None where `most` do not."""
    distance = abs(interval.mean - limit)
    for seeds in range(2, most):
        if stats.t.ppf(0.975, seeds - 1) * interval.sd / math.sqrt(seeds) < distance:
            return seeds
    return None


def span(interval: Interval, digits: int) -> str:
    """` (+0.010 to +0.040)` after a mean; nothing of one seed, which has no interval."""
    if math.isnan(interval.low):
        return ""
    return f" ({interval.low:+.{digits}f} to {interval.high:+.{digits}f})"
