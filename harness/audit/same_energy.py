"""Training path and prediction path: the same support and query have to give the same logits (to 1e-5)."""

import copy
from typing import Any

import numpy as np
import torch

from harness.audit.probe import Probe
from harness.trial.episodes.batches import encode_pairs
from harness.trial.score.predict import Predictor
from harness.trial.step.trainer import Diverged

TOLERANCE = 1e-5
"""Largest difference of a logit, relative to 1 + its size."""


def disagreement(probe: Probe, predictor: Predictor) -> float:
    """Largest |l_train - l_predict| / (1 + |l_train|) over the probe's query pairs.

    The training path runs without what only training has (dropout, support labels, hidden names); the prediction path
    is the trial's own predictor, given each episode's support and query pairs; in a mixed episode it is given that
    support set for every cell line of the query pairs. Raises Diverged where the training path's logits are not finite.
    """
    trainer = probe.clone(patch=as_predicted)
    probe.pairs += 2 * (probe.batch.support.size + probe.batch.query.size) / 3
    with torch.no_grad():
        _, _, step, _ = trainer._measure(probe.batch, warm=False)
    worst = 0.0
    for episode, lines in enumerate(probe.batch.query_cell):
        support, query = probe.batch.support[episode], probe.batch.query[episode]
        codes = probe.codes[np.concatenate([np.repeat(lines[:1], len(support)), lines])]
        pairs = np.concatenate([support, query])
        own = _given(predictor, np.arange(len(support)))
        scores = own.score(
            trainer.model,
            trainer.reference,
            encode_pairs(trainer.model, trainer.dataset, pairs, trainer.device, len(pairs)),
            split="audit",
            pairs=pairs,
            label=np.asarray(trainer.dataset.label[pairs]),
            cell=codes,
            draws=1,
            warm=False,
            memory=trainer.memory,
        )
        trained = step.logit[episode].cpu().numpy()
        if not np.isfinite(trained).all():
            raise Diverged("logits of the audit's training path are not finite")
        gap = np.abs(scores.logit[len(support) :] - trained) / (1.0 + np.abs(trained))
        worst = max(worst, float(gap.max()) if np.isfinite(gap).all() else float("inf"))
    return worst


def as_predicted(trainer: Any) -> None:
    """Take what only training has out of a clone's training path."""
    encode = trainer.model.encode
    trainer.model.encode = lambda enhancer, promoter, noise=None: encode(enhancer, promoter, None)
    trainer._hidden = lambda cell: None
    labels = trainer._support_labels
    trainer._support_labels = lambda batch: (labels(batch)[0], torch.zeros_like(labels(batch)[1]))


def _given(predictor: Predictor, positions: np.ndarray) -> Predictor:
    """The predictor with these positions as its only support draw."""
    own: Any = copy.copy(predictor)
    own.support_positions = lambda split, cell, among, draws: positions[None]
    found: Predictor = own
    return found
