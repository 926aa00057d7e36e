"""What a unit's time is made of, from units of few and of many pairs."""

from dataclasses import dataclass
from typing import NamedTuple

from harness.bench.measurement import Time, middle

TRAINING, VALIDATION, TEST = 145_534, 29_107, 250_000
"""Pairs of the documented size: trained on, scored after every epoch (a tenth of them per validation split), and tested."""
EPOCHS, STEPS = 5, 2
"""Epochs, and steps of each, of the units by which what is not steps is measured."""


@dataclass(frozen=True)
class UnitParts:
    """What a unit's time is made of: a step; a pair that is scored after an epoch, and one at the end (with the weights of
    two epochs, at every prevalence and support draw, and stored); and what neither steps nor pairs make longer (building,
    audit, record). Scoring includes what the audit makes of the scores."""

    step: Time
    pair: Time
    last: Time
    fixed: Time

    def unit(self, epochs: int, steps: int) -> Time:
        """A whole unit at the documented size."""
        return added(
            self.step.times(epochs * steps),
            self.pair.times(epochs * VALIDATION),
            self.last.times(VALIDATION + TEST),
            self.fixed,
        )


def added(*times: Time) -> Time:
    """One after the other."""
    return Time(sum(time.wall for time in times), sum(time.cpu for time in times))


class TimedPairs(NamedTuple):
    """Time of a piece of work on some pairs."""

    time: Time
    pairs: int

    def per_more(self, fewer: "TimedPairs") -> Time:
        """What each further pair takes."""
        more = added(self.time, fewer.time.times(-1)).times(1 / (self.pairs - fewer.pairs))
        return Time(max(0.0, more.wall), max(0.0, more.cpu))


@dataclass(frozen=True)
class Whole:
    """A unit of EPOCHS epochs of STEPS steps: times of its beginning and of its epochs, of which the last has the unit's
    end; pairs that are scored at its end and after an epoch."""

    begun: Time
    epochs: list[Time]
    all_pairs: int
    epoch_pairs: int

    @property
    def epoch(self) -> TimedPairs:
        """An epoch between the first and the last one."""
        return TimedPairs(middle(self.epochs[1:-1]), self.epoch_pairs)

    @property
    def end(self) -> TimedPairs:
        return TimedPairs(added(self.epochs[-1], self.epoch.time.times(-1)), self.all_pairs)

    def beside(self, step: Time, pair: Time, last: Time) -> Time:
        """What neither steps nor pairs take at these prices."""
        scored = added(pair.times(EPOCHS * self.epoch_pairs), last.times(self.all_pairs))
        rest = added(self.begun, *self.epochs, step.times(-EPOCHS * STEPS), Time(-scored.wall, -scored.cpu))
        return Time(max(0.0, rest.wall), max(0.0, rest.cpu))
