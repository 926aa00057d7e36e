"""Scores of whole splits with a trainer's present weights, and the temperature that is fitted on validation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from harness.trial.batches import encode_pairs
from harness.trial.evaluate import VALIDATION
from harness.trial.predict import Predictor, SplitScores
from harness.trial.trainer import Trainer
from models.energy.temperature import fit


def score_splits(
    trainer: Trainer,
    predictor: Predictor,
    pairs: Mapping[str, np.ndarray],
    splits: Sequence[str],
    *,
    draws: int,
    epoch: int,
) -> tuple[dict[str, SplitScores], float | None]:
    """Scores by split, and T where temperature mode `calibrated` fitted one on the validation split; None elsewhere.

    One sequence pass per pair; support draws reuse it. `epoch` (1-based) decides the phase of the curriculum. `splits`
    must hold the validation split where a temperature is to be fitted.
    """
    config, dataset, device = trainer.config, trainer.dataset, trainer.device
    warm = trainer.schedule.phase(epoch) == 1
    calibration: torch.Tensor | None = None
    scored: dict[str, SplitScores] = {}
    calibrated = config.temperature.mode == "calibrated" and not warm
    order = sorted(splits, key=lambda name: name != VALIDATION) if calibrated else splits
    for name in order:
        own = pairs[name]
        encoded = encode_pairs(trainer.model, dataset, own, device, config.evaluation.batch)
        arguments: dict[str, Any] = {
            "split": name,
            "pairs": own,
            "label": np.asarray(dataset.label[own]),
            "cell": np.asarray(dataset.cell[own]),
            "draws": draws,
            "warm": warm,
            "memory": trainer.memory,
        }
        given = (trainer.model, trainer.reference, encoded)
        scored[name] = predictor.score(*given, **arguments, calibration=calibration)
        if calibrated and name == VALIDATION:
            calibration = fit(
                torch.from_numpy(scored[name].logit).to(device),
                torch.from_numpy(scored[name].label.astype("float32")).to(device),
            )
            scored[name] = predictor.score(*given, **arguments, calibration=calibration)
    temperature = None if calibration is None else float(calibration)
    return {name: scored[name] for name in splits}, temperature
