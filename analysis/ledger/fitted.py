"""The temperature that validation fits, against others on the stored predictions."""

from collections.abc import Iterator

import numpy as np

from analysis.ledger.forms import FORMS, Floats
from analysis.ledger.unit import UnitLedger

TRIED = np.geomspace(0.01, 100.0, 241)
"""Temperatures that are tried, over the bounds of the fit."""
BETTER = 1e-6
"""Mean negative log-likelihood (nats) by which another T has to be better."""


def temperature_is_fitted(unit: UnitLedger) -> Iterator[str]:
    """In mode `calibrated` no T that is tried gives the unseen validation pairs a lower negative log-likelihood."""
    ledger = unit.ledger
    whole, form = ledger["temperature"], FORMS.get(ledger["form"])
    if ledger["temperature_mode"] != "calibrated" or ledger["phase"] == 1 or form is None or whole is None:
        return
    at = np.flatnonzero(unit.predictions["split"].to_numpy() == "val_unseen")
    positive = unit.predictions["label"].to_numpy()[at] == 1
    if not 0 < positive.sum() < len(positive):
        return
    u, r = unit.column("u")[at], unit.column("r")[at]

    def loss(temperature: float) -> float:
        logit: Floats = form(u, r, np.full_like(u, temperature), ledger).logit
        return float(np.logaddexp(0.0, np.where(positive, -logit, logit)).mean())

    with np.errstate(all="ignore"):
        losses = np.array([loss(temperature) for temperature in TRIED])
        reached = loss(float(whole))
    best = int(np.argmin(losses))
    if np.ptp(losses) > BETTER and losses[best] < reached - BETTER:
        yield (
            f"T is fitted to {whole:.6g}, which gives val_unseen {reached:.6g} nats, and {TRIED[best]:.3g} gives "
            f"{losses[best]:.6g}"
        )
