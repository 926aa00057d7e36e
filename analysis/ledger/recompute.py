"""Stored predictions against the energy that is recomputed from what they are said to be made of."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analysis.ledger.forms import FORMS, EnergyValue, Floats, Unit

TOLERANCE = 1e-5
"""Of a logit, relative to 1 + the sum of its absolute summands over T: what float32 loses on the way, many times over."""


class Recomputed(NamedTuple):
    """logit [N] in float64; difference [N], |stored - recomputed|, infinite where either is NaN; tolerance [N]."""

    logit: Floats
    difference: Floats
    tolerance: Floats

    @property
    def wrong(self) -> np.ndarray:
        """Rows [N] whose stored logit is another one."""
        return np.asarray(self.difference > self.tolerance)

    @property
    def gap(self) -> float:
        """Largest difference over its tolerance; 0 of no rows."""
        return float((self.difference / self.tolerance).max()) if len(self.difference) else 0.0


def unknown_form(unit: Unit) -> str | None:
    """Why the predictions of a unit cannot be recomputed: its energy is a person's own. None where they can."""
    if unit["phase"] == 1 or unit["form"] in FORMS:
        return None
    return f"energy.form {unit['form']} has no NumPy form in analysis"


def recompute(rows: Mapping[str, Any] | Any, unit: Unit) -> Recomputed:
    """The logits of rows (columns u, r, t, logit, each [N]) by the energy of a row of `ledger`; in phase 1 l = U_I.

    Raises KeyError for a form that is not in FORMS; see `unknown_form`.
    """
    u, r, t, stored = (_column(rows[name]) for name in ("u", "r", "t", "logit"))
    # What overflows or divides by 0 shows as a difference.
    with np.errstate(all="ignore"):
        made = EnergyValue(u, np.abs(u)) if unit["phase"] == 1 else FORMS[unit["form"]](u, r, t, unit)
        difference = np.abs(stored - made.logit)
    difference[np.isnan(difference)] = np.inf
    tolerance = TOLERANCE * (1.0 + np.where(np.isfinite(made.size), made.size, 0.0))
    return Recomputed(made.logit, difference, tolerance)


def _column(values: ArrayLike) -> Floats:
    return np.array(values, dtype=np.float64)
