"""Scores of pairs by several trained units, and how far these and support draws lie apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.special import expit, logit

from harness.data.dataset import EncodedDataset
from harness.trained.trained_unit import TrainedUnit
from harness.trial.score.predict import SplitScores

COLUMNS = {
    "probability": "mean over units of sigma(logit / T), T fitted on each unit's unseen validation pairs",
    "logit": "mean over units of the energy's logit, with the first support draw, as the store has it",
    "sd_units": "standard deviation of the logit over units (seeds, and folds where there are several); empty for one unit",
    "sd_draws": "standard deviation of the logit over support draws, mean over units; empty for one draw",
    "u": "U_I, mean over units",
    "r": "R_E as the energy took it, mean over units",
    "units": "units that scored the pair",
}
"""Column of a prediction beside enhancer, promoter and cell_line -> what it holds."""


@dataclass(frozen=True)
class UnitScores:
    """What one unit says of all pairs [N]: `logits` [D, N] by support draw, calibrated `probability`, u and r."""

    unit: TrainedUnit
    logits: np.ndarray
    probability: np.ndarray
    u: np.ndarray
    r: np.ndarray

    @classmethod
    def of(cls, unit: TrainedUnit, scores: SplitScores, prevalence: float | None) -> "UnitScores":
        """`prevalence`: share of positives that is expected where it is not that of the validation pairs, which moves
        every log-odds by the difference of their log-odds."""
        calibrated = scores.logit.astype(np.float64) / unit.calibration.temperature
        if prevalence is not None:
            calibrated = calibrated + logit(prevalence) - logit(unit.calibration.prevalence)
        return cls(unit, scores.logits.astype(np.float64), expit(calibrated), scores.u, scores.r)


def score_pairs(
    units: Sequence[TrainedUnit],
    dataset: EncodedDataset,
    *,
    draws: int,
    device: torch.device,
    prevalence: float | None = None,
    done: Callable[[TrainedUnit], None] = lambda unit: None,
) -> list[UnitScores]:
    """Each unit's scores of all pairs; `done` is told of every unit that has scored."""
    each = []
    for unit in units:
        each.append(UnitScores.of(unit, unit.scores_of(dataset, draws=draws, device=device), prevalence))
        done(unit)
    return each


def predictions(dataset: EncodedDataset, each: Sequence[UnitScores]) -> pd.DataFrame:
    """One row per pair, in order: `enhancer`, `promoter`, `cell_line` and `COLUMNS`."""
    logits = np.stack([scores.logits for scores in each])
    draws, nothing = logits.shape[1], np.full(len(dataset), np.nan)
    return dataset.pair_names(np.arange(len(dataset))).assign(
        probability=np.mean([scores.probability for scores in each], axis=0),
        logit=logits[:, 0].mean(0),
        sd_units=logits[:, 0].std(0, ddof=1) if len(each) > 1 else nothing,
        sd_draws=logits.std(1, ddof=1).mean(0) if draws > 1 else nothing,
        u=np.mean([scores.u for scores in each], axis=0),
        r=np.mean([scores.r for scores in each], axis=0),
        units=len(each),
    )
