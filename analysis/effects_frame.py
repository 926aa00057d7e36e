"""What each contrast of a design did, as one data frame: the numbers that `python -m analysis effects` prints."""

from typing import Any

import pandas as pd

from analysis.contrast_rows import ContrastRow, contrast_rows
from analysis.preregistration import preregistration
from analysis.store import Run

COLUMNS = [
    "family", "name", "reference", "criterion", "change", "low", "high", "seeds", "p", "p_dunnett", "p_equivalent",
    "improves", "detectable", "verdict", "fold_low", "fold_high", "parameters", "step_time", "config", "note",
]  # fmt: skip


def effects_frame(run: Run, *, metric: str | None = None, rope: float | None = None) -> pd.DataFrame:
    """One row per contrast of a run's design, in the order of the plan: an arm minus its reference, a factor or an
    interaction, a step of a path. Empty for a run whose design has none; UserError for an unknown metric.

    `change` is the mean over seeds (each a mean over folds), `low` and `high` its 95 % t-interval, `p` after Holm over
    the family (of the A/A placebo as it is); `verdict` as the terminal has it: what is not larger than the A/A
    difference is unknown, and the A/A placebo has none. `detectable` is the smallest change that could have been seen;
    numbers that a design does not have are NaN. `metric` and `rope` default to what was preregistered.
    """
    told = contrast_rows(run, preregistration(run), metric, rope)
    if told is None:
        return pd.DataFrame(columns=COLUMNS)
    return pd.DataFrame([{"criterion": told.by.key, **_columns(row)} for row in told.rows], columns=COLUMNS)


def _columns(row: ContrastRow) -> dict[str, Any]:
    """A row as columns, its intervals by their ends."""
    interval, folds = row.interval, row.over_folds
    ends = {"change": interval.mean, "low": interval.low, "high": interval.high, "seeds": interval.n}
    return {**vars(row), **ends, "fold_low": folds.low, "fold_high": folds.high}
