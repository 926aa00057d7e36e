"""The fitted temperature is used on the validation split and on those scored after it, and not on those before.

The splits are scored in the order in which they are asked for, without the validation split first. Training subset and
val_seen keep T = 1 while val_unseen and test have the calibrated T; the stored logits of val_seen are on another scale.
"""
import numpy as np
import torch

import harness.trial.evaluation as evaluation
import harness.trial.score.scoring as scoring
from harness.trial.episodes.batches import encode_pairs
from harness.trial.score.evaluate import VALIDATION
from harness.trial.step.diverged import Diverged
from models.energy.temperature import fit

PRESET = "minimal"
SET = {"temperature.mode": "calibrated"}


def score_splits(trainer, predictor, pairs, splits, *, draws, epoch):
    config, dataset, device = trainer.config, trainer.dataset, trainer.device
    warm = trainer.schedule.phase(epoch) == 1
    calibration = None
    scored = {}
    calibrated = config.temperature.mode == "calibrated" and not warm
    for name in splits:
        split_pairs = pairs[name]
        encoded = encode_pairs(trainer.model, dataset, split_pairs, device, config.evaluation.batch)
        arguments = {
            "split": name,
            "pairs": split_pairs,
            "label": np.asarray(dataset.label[split_pairs]),
            "cell": np.asarray(dataset.cell[split_pairs]),
            "draws": draws,
            "warm": warm,
            "memory": trainer.memory,
        }
        inputs = (trainer.model, trainer.reference, encoded)
        scored[name] = predictor.predict(*inputs, **arguments, calibration=calibration)
        if not (np.isfinite(scored[name].logits).all() and np.isfinite(scored[name].u).all()):
            raise Diverged(f"scores of split {name} are not finite")
        if calibrated and name == VALIDATION:
            label = torch.from_numpy(scored[name].label.astype("float64"))
            calibration = fit(scoring.logit_at(trainer.model, scored[name]), label).float().to(device)
            scored[name] = predictor.predict(*inputs, **arguments, calibration=calibration)
    temperature = None if calibration is None else float(calibration)
    return scored, temperature


scoring.score_splits = score_splits
evaluation.score_splits = score_splits
