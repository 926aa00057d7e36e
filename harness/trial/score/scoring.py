"""Scores of whole splits with a trainer's present weights, and the temperature that is fitted on validation."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from harness.trial.episodes.batches import Encoded, encode_pairs
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.step.diverged import Diverged
from harness.trial.step.trainer import Trainer
from models.energy.temperature import fit
from models.prism import PrismModel


def score_splits(
    trainer: Trainer,
    predictor: Predictor,
    pairs: Mapping[str, np.ndarray],
    splits: Sequence[str],
    *,
    draws: int,
    epoch: int,
    encoded: Mapping[str, Encoded] | None = None,
) -> tuple[dict[str, SplitScores], float | None]:
    """Scores by split, and T where temperature mode `calibrated` fitted one on the validation split; None elsewhere.

    One sequence pass per pair; support draws reuse it. `epoch` (1-based) decides the phase of the curriculum. `splits`
    must hold the validation split where a temperature is to be fitted: on that split's pairs, and through the energy,
    since T does not divide the whole logit in every form. `encoded`: of the pairs by split, where they are there already.

    Raises Diverged for a score that is not finite.
    """
    config, dataset, device = trainer.config, trainer.dataset, trainer.device
    warm = trainer.schedule.phase(epoch) == 1
    calibration: torch.Tensor | None = None
    scored: dict[str, SplitScores] = {}
    calibrated = config.temperature.mode == "calibrated" and not warm
    order = sorted(splits, key=lambda name: name != VALIDATION) if calibrated else splits
    for name in order:
        split_pairs = pairs[name]
        features = (
            encode_pairs(trainer.model, dataset, split_pairs, device, config.evaluation.batch)
            if encoded is None
            else encoded[name]
        )
        arguments: dict[str, Any] = {
            "split": name,
            "pairs": split_pairs,
            "label": np.asarray(dataset.label[split_pairs]),
            "cell": np.asarray(dataset.cell[split_pairs]),
            "draws": draws,
            "warm": warm,
            "memory": trainer.memory,
        }
        inputs = (trainer.model, trainer.reference, features)
        scored[name] = predictor.predict(*inputs, **arguments, calibration=calibration)
        if not (np.isfinite(scored[name].logits).all() and np.isfinite(scored[name].u).all()):
            raise Diverged(f"scores of split {name} are not finite")
        if calibrated and name == VALIDATION:
            label = torch.from_numpy(scored[name].label.astype("float64"))
            calibration = fit(logit_at(trainer.model, scored[name]), label).float().to(device)
            scored[name] = predictor.predict(*inputs, **arguments, calibration=calibration)
    temperature = None if calibration is None else float(calibration)
    return {name: scored[name] for name in splits}, temperature


def logit_at(model: PrismModel, scores: SplitScores) -> Callable[[torch.Tensor], torch.Tensor]:
    """T [] -> logit [N] of the pairs at that temperature, in double precision; U_I and R_E are as they were consumed."""
    u, r = (torch.from_numpy(part.astype("float64")).unsqueeze(0) for part in (scores.u, scores.r))
    energy = copy.deepcopy(model.energy).double().cpu()

    @torch.no_grad()
    def logit(temperature: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = energy(u, r, temperature.double().view(1, 1))[0]
        return value

    return logit
