"""What the energy needs beside u, r and t to be computed again: a unit's row of the table `ledger`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.trial.step.trainer import Trainer

SET = ("a", "b", "tau")
"""Settings of an energy that are not learned."""


def ledger_row(
    trainer: Trainer, *, epoch: int, calibration: float | None, predictions: int
) -> dict[str, Any]:
    """Columns of `ledger` that are known when the weights of `epoch` have scored; `calibration` is the T that validation
    chose for them, None where none was fitted."""
    # A dump notes no key as read: recording a setting is no use of it.
    settings, model = trainer.config.model_dump(), trainer.model
    energy = settings["energy"]
    warm = trainer.schedule.phase(epoch) == 1
    environment = settings["environment"] if model.environment.acts else {}
    teacher = environment.get("teacher", {}).get("kind", "none") != "none"
    learned = {name: float(value) for name, value in model.energy.report().items() if name in ("lam", "w")}
    return {
        "epoch": epoch,
        "phase": 1 if warm else 2,
        "form": energy["form"],
        "environment": model.environment.acts,
        "scope": environment.get("scope"),
        "temperature_mode": settings["temperature"]["mode"],
        "temperature": None if warm else _temperature(trainer, settings["temperature"]["mode"], calibration),
        **learned,
        **{name: float(energy[name]) for name in SET if name in energy},
        "alpha": float(environment["fusion"]["alpha"]) if teacher else None,
        "posterior": environment.get("prior", {}).get("extrapolate") == "posterior",
        **_prior(trainer, environment.get("prior", {})),
        **_reference(trainer),
        "predictions": predictions,
    }


def _temperature(trainer: Trainer, mode: str, calibration: float | None) -> float | None:
    """T of all cell lines, None where each has its own."""
    if mode not in ("fixed", "learned", "calibrated"):
        return None
    return float(trainer.model.temperature(None, 1).detach()) * (1.0 if calibration is None else calibration)


def _prior(trainer: Trainer, prior: Mapping[str, Any]) -> dict[str, Any]:
    """What the posterior mean of a prior is made of, where one extrapolates: its kernel, and the training cell lines that
    were met."""
    if prior.get("extrapolate") != "posterior":
        return {}
    reference = trainer.reference
    places = reference.z_e if prior["over"] == "prototypes" else trainer.v
    assert places is not None
    met = reference.seen > 0
    return {
        **{name: float(prior[name]) for name in ("lengthscale", "variance", "noise")},
        "prior_r": reference.r[met].double().tolist(),
        "prior_places": places[met].double().tolist(),
    }


def _reference(trainer: Trainer) -> dict[str, float | None]:
    """Mean and standard deviation of raw R_E over the training cell lines that were met, where there are two."""
    seen = trainer.reference.seen.cpu().numpy() > 0
    if seen.sum() < 2:
        return {"reference_mean": None, "reference_sd": None}
    raw = trainer.reference.r.cpu().numpy().astype(np.float64)[seen]
    return {"reference_mean": float(raw.mean()), "reference_sd": float(raw.std())}
