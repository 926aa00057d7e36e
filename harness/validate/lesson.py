"""What R_T and R_S of a unit are worth to its labels: the witness, beside the rule, of Students that learnt nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from analysis.ledger.forms import FORMS, Floats

LEARNT, LAZY, UNDECIDED = "learnt", "lazy", "undecided"
SPLIT = "val_seen"
"""Pairs of training cell lines, which have an R_T, that nothing was trained on."""
LEAST = 0.1
"""Share of the Teacher's gain: who has less beyond doubt has learnt nothing. An R_S that is R_T times f has 2 f - f^2 of
it in the neighbourhood of 0, so that the rule's limit, f^2 = 0.05, is 0.4, and a tenth is f = 0.05."""


class Gain(NamedTuple):
    """Mean over pairs, in nats, with its 95 % interval (t over pairs)."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, each: Floats) -> "Gain":
        """Of the gain of each pair [N], N > 1; without an interval to speak of where all are equal."""
        mean = float(each.mean())
        if np.ptp(each) == 0:
            return cls(mean, mean, mean)
        interval = ttest_1samp(each, 0.0).confidence_interval(0.95)
        return cls(mean, float(interval.low), float(interval.high))


@dataclass(frozen=True)
class Lesson:
    """By how much the negative log-likelihood of the pairs falls where R_E tells the training cell lines apart, against
    the mean of the same R_E in each of them: with the Teacher's R_T, with the Student's R_S, and the Teacher's gain times
    LEAST less the Student's (`short`), pair by pair."""

    teacher: Gain
    student: Gain
    short: Gain

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Lesson":
        """Of what `asdict` gave, read from JSON."""
        return cls(**{name: Gain(*row[name]) for name in ("teacher", "student", "short")})

    @property
    def verdict(self) -> str:
        """learnt: R_S gains, and more than a tenth of what R_T does. lazy: R_T gains, and R_S less than a tenth of it, both
        beyond doubt. Else undecided: these pairs would not show it, or R_T knows nothing, and a Student that does not
        follow such a Teacher is not at fault."""
        if self.student.low > 0 and self.short.high < 0:
            return LEARNT
        return LAZY if self.teacher.low > 0 and self.short.low > 0 else UNDECIDED


def lesson(ledger: Mapping[str, Any], predictions: pd.DataFrame, embeddings: pd.DataFrame) -> Lesson | None:
    """The lesson of one unit, of its row of `ledger` and its rows of the other tables; None without a Teacher, in phase 1,
    and where no pair of a training cell line is there.

    The energy is computed in NumPy by code that nothing was trained with. Labels decide, of pairs that nobody trained on:
    neither a variance nor the distillation, which are what rule lazy_teacher reads, has part in it.
    """
    rows = predictions[(predictions["split"] == SPLIT) & (predictions["draw"] == 0)]
    of_line = embeddings[(embeddings["split"] == SPLIT) & (embeddings["draw"] == 0)].set_index("cell_line")
    taught = of_line["r_teacher"].notna()
    if ledger["phase"] == 1 or len(rows) < 2 or not len(of_line) or not taught.all():
        return None
    line = rows["cell_line"].to_numpy()
    u, r, t = (rows[name].to_numpy(dtype=np.float64) for name in ("u", "r", "t"))
    sign = 2.0 * rows["label"].to_numpy(dtype=np.float64) - 1.0
    of_pair = r - of_line["r_cell"].loc[line].to_numpy(dtype=np.float64)

    def losses(resistance: Floats) -> Floats:
        logit = FORMS[ledger["form"]](u, of_pair + resistance, t, ledger).logit
        return np.asarray(np.logaddexp(0.0, -sign * logit), dtype=np.float64)

    def gains(name: str) -> Floats:
        each = of_line[name].astype(np.float64)
        told: Floats = np.asarray(each.loc[line], dtype=np.float64)
        return losses(np.full(told.shape, each.mean(), dtype=np.float64)) - losses(told)

    teacher, student = gains("r_teacher"), gains("r_student")
    return Lesson(Gain.of(teacher), Gain.of(student), Gain.of(LEAST * teacher - student))
