"""The log density of a step's raw R_E under the Gaussian process over cell lines (M28), in double precision from the
definition."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist, pdist

from harness.trial.step.measure import Measured
from harness.trial.step.trainer import Trainer

CLOSE, ROUNDING = 2e-4, 1e-6
"""Largest difference of a log density per episode (nats), relative to 1 + its size; or ROUNDING times the condition of
K + n I, which is what single precision makes of it."""


def other_density(trainer: Trainer, settings: Mapping[str, Any], measured: Measured) -> str:
    """Where log N(raw; m, K + n I) / E of the step is another one, in words; empty where it is that one, and where it is
    not asked for.

    K = s2 exp(-|x - y|^2 / (2 l^2 D)) over v_c or z_E, D the mean squared distance of the training cell lines met so far,
    m the mean of their running R_E; `trainer` has the state before the step.
    """
    step = measured.step
    if "log_prior" not in step.makers or step.owner is not None:
        return ""
    block, reference = settings["environment"]["prior"], trainer.reference
    seen = reference.seen.cpu().numpy() > 0
    if block["over"] == "features":
        assert trainer.v is not None
        places, lines = step.v.cpu().numpy(), trainer.v.cpu().numpy()
    else:
        places, lines = measured.scores.z_e.detach().cpu().numpy(), reference.z_e.cpu().numpy()
    places, lines = places.astype(np.float64), lines.astype(np.float64)
    apart = float((pdist(lines[seen]) ** 2).mean()) + 1e-6 if seen.sum() > 1 else 1.0
    kernel = block["variance"] * np.exp(
        -(cdist(places, places) ** 2) / (2 * block["lengthscale"] ** 2 * apart)
    )
    raw = measured.scores.r_raw.detach().cpu().numpy().astype(np.float64)
    mean = np.full(len(raw), reference.r.cpu().numpy()[seen].mean() if seen.any() else 0.0)
    wished = log_density(raw - mean, kernel + block["noise"] * np.eye(len(raw))) / len(raw)
    real = float(step.log_prior.detach())
    if abs(real - wished) <= CLOSE * (1 + abs(wished)):
        return ""
    return f"the log density of raw R_E is {real:.6g}, and its definition gives {wished:.6g}"


def log_density(apart: np.ndarray, covariance: np.ndarray) -> float:
    """log N(x; m, covariance) [E, E] of x - m = `apart` [E], nats. scipy.stats has the same, and takes half a second of
    every process to be imported."""
    size = float(np.linalg.slogdet(covariance).logabsdet)
    return -0.5 * (
        len(apart) * math.log(2 * math.pi) + size + float(apart @ np.linalg.solve(covariance, apart))
    )
