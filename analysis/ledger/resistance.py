"""From R_E back to the raw value that a built-in energy makes it of."""

from collections.abc import Callable, Mapping

import numpy as np

from analysis.ledger.forms import Floats, Unit

FLOOR = 0.1
"""Least spread of raw R_E, in root sum of squares with the training cell lines', that standardisation divides by."""
UNDERFLOW = 1e-30
"""R_E = softplus(raw) under which float32 does not tell raw values apart any more."""


def standardised(r: Floats, unit: Unit) -> Floats:
    """raw = mean + r sqrt(sd^2 + FLOOR^2) of the reference; r itself while fewer than two cell lines have been met."""
    mean, spread = unit["reference_mean"], unit["reference_sd"]
    return r if mean is None or spread is None else mean + r * np.hypot(spread, FLOOR)


def summands(r: Floats, unit: Unit) -> Floats:
    """|mean| + |r| sqrt(sd^2 + FLOOR^2): what the raw value is a sum of, by whose rounding it is uncertain."""
    mean, spread = unit["reference_mean"], unit["reference_sd"]
    return np.abs(r) if mean is None or spread is None else abs(mean) + np.abs(r) * np.hypot(spread, FLOOR)


def softplus(r: Floats, unit: Unit) -> Floats:
    """raw of r = log(1 + e^raw): r + log(1 - e^-r); NaN where r has underflowed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(r > UNDERFLOW, r + np.log(-np.expm1(-r)), np.nan)


def abundance(r: Floats, unit: Unit) -> Floats:
    """raw of r = -log log(1 + e^raw): A = e^-r = softplus(raw); raw tends to -r where A is small."""
    amount = np.exp(-np.minimum(r, 600.0))
    return np.where(r > 30.0, -r, amount + np.log(-np.expm1(-amount)))


RAW: Mapping[str, Callable[[Floats, Unit], Floats]] = {
    "linear": softplus,
    "interaction": softplus,
    "gated": standardised,
    "boosted_gate": standardised,
    "threshold_gate": standardised,
    "blocking": standardised,
    "binding": abundance,
}
"""Form -> raw R_E of R_E."""
