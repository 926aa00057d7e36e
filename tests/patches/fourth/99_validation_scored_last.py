"""The calibrated temperature reaches the validation split alone: it is scored last, when the others are done without T.

The order of the splits is sorted the wrong way round. The fitted T is reported and is in the ledger; predictions of train,
val_seen and test have T = 1.
"""
PRESET = "minimal"
SET = {"temperature.mode": "calibrated"}
import numpy as np
import torch

import harness.trial.evaluation as evaluation
from harness.trial.episodes.batches import encode_pairs
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.scoring import logit_at
from harness.trial.step.diverged import Diverged
from models.energy.temperature import fit


def score_splits(trainer, predictor, pairs, splits, *, draws, epoch):
    config, dataset, device = trainer.config, trainer.dataset, trainer.device
    warm = trainer.schedule.phase(epoch) == 1
    calibration = None
    scored = {}
    calibrated = config.temperature.mode == "calibrated" and not warm
    order = sorted(splits, key=lambda name: name == VALIDATION) if calibrated else splits
    for name in order:
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
            calibration = fit(logit_at(trainer.model, scored[name]), label).float().to(device)
            scored[name] = predictor.predict(*inputs, **arguments, calibration=calibration)
    temperature = None if calibration is None else float(calibration)
    return {name: scored[name] for name in splits}, temperature


evaluation.score_splits = score_splits
