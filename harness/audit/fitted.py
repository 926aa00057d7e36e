"""Is T of mode `calibrated` really fitted? The trial's own scoring is asked to fit it, and T has to be the best one."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from harness.audit.probe import EVERYTHING_ON, Probe
from harness.trial.evaluate import VALIDATION
from harness.trial.predict import Predictor
from harness.trial.scoring import score_splits
from harness.trial.trainer import Trainer
from models.energy.temperature import HIGHEST, LOWEST

STEP = 1.2
"""Factor on T to either side that has to be no better."""
TOLERANCE = 1e-6
"""Difference of a mean negative log-likelihood (nats) that is none."""


def unfitted(probe: Probe, trainer: Trainer) -> str:
    """What is wrong with the T that scoring fits on the probe's query pairs as validation pairs; empty when nothing is.

    T is right where no T a fifth larger or smaller has a smaller mean negative log-likelihood of the logits before
    it, in its range. With labels of one class, or logits that are all 0, T is undefined, and nothing is wrong.
    """
    pairs = np.unique(probe.batch.query)
    predictor = Predictor(
        probe.dataset.cell_lines,
        {int(code): index for index, code in enumerate(probe.codes)},
        support_size=probe.batch.support.shape[1],
        seed=probe.seed,
        device=probe.device,
        v=trainer.v,
    )
    probe.pairs += len(pairs) / 3
    given = (trainer, predictor, {VALIDATION: pairs}, (VALIDATION,))
    scores, temperature = score_splits(*given, draws=1, epoch=int(EVERYTHING_ON))
    if temperature is None:
        return "scoring fits no T"
    scored = scores[VALIDATION]
    logit, label = torch.from_numpy(scored.logit).double(), torch.from_numpy(scored.label).double()
    if label.min() == label.max() or not bool(logit.any()):
        return ""
    bare = logit * temperature
    own = _nll(bare, label, temperature)
    for other in (temperature * STEP, temperature / STEP):
        if LOWEST <= other <= HIGHEST and _nll(bare, label, other) < own - TOLERANCE:
            return (
                f"T = {temperature:.3g} is not fitted: T = {other:.3g} explains the validation labels better"
            )
    return ""


def _nll(logit: Tensor, label: Tensor, temperature: float) -> float:
    """Mean softplus(-y l / T) in nats."""
    return float(softplus((1 - 2 * label) * logit / temperature).mean())
