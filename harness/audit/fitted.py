"""Is T of mode `calibrated` really fitted? The trial's own scoring is asked to fit it, and T has to be the best one."""

import numpy as np
import torch
from torch.nn.functional import softplus

from harness.audit.probe import EVERYTHING_ON, Probe
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.predict import Predictor
from harness.trial.score.scoring import logit_at, score_splits
from harness.trial.step.trainer import Trainer
from models.energy.temperature import HIGHEST, LOWEST

STEP = 1.2
"""Factor on T to either side that has to be no better."""
TOLERANCE = 1e-6
"""Difference of a mean negative log-likelihood (nats) that is none."""
SAME = 1e-4
"""The same between single and double precision, relative to 1 + its size."""


def unfitted(probe: Probe, trainer: Trainer) -> str:
    """What is wrong with the T that scoring fits on the probe's query pairs as validation pairs; empty when nothing is.

    T is right where no T a fifth larger or smaller, through the energy, has a smaller mean negative log-likelihood, in
    its range, and the scores are the energy's at T. With labels of one class, or logits that T does not move, T is
    undefined, and nothing is wrong.
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
    arguments = (trainer, predictor, {VALIDATION: pairs}, (VALIDATION,))
    scores, temperature = score_splits(*arguments, draws=1, epoch=int(EVERYTHING_ON))
    if temperature is None:
        return "scoring fits no T"
    scored = scores[VALIDATION]
    logit, label = torch.from_numpy(scored.logit).double(), torch.from_numpy(scored.label).double()
    if label.min() == label.max():
        return ""
    energy = logit_at(trainer.model, scored)

    def loss(t: float) -> float:
        return float(softplus((1 - 2 * label) * energy(torch.tensor(t, dtype=torch.float64))).mean())

    reached = float(softplus((1 - 2 * label) * logit).mean())
    if abs(reached - loss(temperature)) > SAME * (1 + reached):
        return f"validation is not scored at the T = {temperature:.3g} that was fitted on it"
    for other in (temperature * STEP, temperature / STEP):
        if LOWEST <= other <= HIGHEST and loss(other) < reached - TOLERANCE:
            return (
                f"T = {temperature:.3g} is not fitted: T = {other:.3g} explains the validation labels better"
            )
    return ""
