"""The built-in energies in float64 NumPy, written from their definitions and from nothing of the model that trained."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
Unit = Mapping[str, Any]
"""A row of the table `ledger`."""


class EnergyValue(NamedTuple):
    """logit [N], and size [N]: the sum of the absolute summands that it is made of, over T where T divides them."""

    logit: Floats
    size: Floats


Form = Callable[[Floats, Floats, Floats, Unit], EnergyValue]
"""(U_I [N], R_E [N], T [N], scalars of the unit) -> EnergyValue."""


def linear(u: Floats, r: Floats, t: Floats, unit: Unit) -> EnergyValue:
    """(u - r) / t."""
    return EnergyValue((u - r) / t, (np.abs(u) + np.abs(r)) / t)


def interaction(u: Floats, r: Floats, t: Floats, unit: Unit) -> EnergyValue:
    """(u - r + lam u r) / t."""
    both = unit["lam"] * u * r
    return EnergyValue((u - r + both) / t, (np.abs(u) + np.abs(r) + np.abs(both)) / t)


def gated(u: Floats, r: Floats, t: Floats, unit: Unit) -> EnergyValue:
    """u sigmoid(w r) / t."""
    logit = u * expit(unit["w"] * r) / t
    return EnergyValue(logit, np.abs(logit))


def boosted_gate(u: Floats, r: Floats, t: Floats, unit: Unit) -> EnergyValue:
    """u (1 + a tanh(u) sigmoid(r)) / t."""
    boost = u * unit["a"] * np.tanh(u) * expit(r)
    return EnergyValue((u + boost) / t, (np.abs(u) + np.abs(boost)) / t)


def threshold_gate(u: Floats, r: Floats, t: Floats, unit: Unit) -> EnergyValue:
    """u / t where r > tau, b u / t elsewhere; tau is compared in float32, as r was. A NaN r gives NaN."""
    opened = r.astype(np.float32) > np.float32(unit["tau"])
    logit = u * np.where(np.isnan(r), np.nan, np.where(opened, 1.0, unit["b"])) / t
    return EnergyValue(logit, np.abs(logit))


def blocking(u: Floats, r: Floats, t: Floats, unit: Unit) -> EnergyValue:
    """log P - log(1 - P), P = sigmoid(w r) sigmoid(u / t): with 1 / P - 1 = e^-g + e^-v + e^-(g + v), in log space."""
    shut, fails = -unit["w"] * r, -u / t
    odds = np.logaddexp(np.logaddexp(shut, fails), shut + fails)
    return EnergyValue(-odds, np.abs(shut) + np.abs(fails))


def binding(u: Floats, r: Floats, t: Floats, unit: Unit) -> EnergyValue:
    """u / t - r."""
    return EnergyValue(u / t - r, np.abs(u) / t + np.abs(r))


FORMS: Mapping[str, Form] = {
    form.__name__: form
    for form in (linear, interaction, gated, boosted_gate, threshold_gate, blocking, binding)
}
"""Key of `energy.form` -> the form."""
GATES: Mapping[str, Callable[[Floats, Unit], Floats]] = {
    "gated": lambda r, unit: expit(unit["w"] * r),
    "blocking": lambda r, unit: expit(unit["w"] * r),
    "boosted_gate": lambda r, unit: expit(r),
    "threshold_gate": lambda r, unit: (r.astype(np.float32) > np.float32(unit["tau"])).astype(np.float64),
}
"""Form -> how far R_E opens its gate."""
