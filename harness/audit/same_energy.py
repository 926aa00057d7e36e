"""Training path and prediction path: the same support and query have to give the same logits (to 1e-5)."""

import numpy as np
import torch

from harness.audit.probe import Probe
from harness.trial.episodes.batches import Encoded
from harness.trial.score.predict import Predictor
from harness.trial.step.diverged import Diverged
from harness.trial.step.draws import NoDraws
from models.sequence.potential import SequenceOutput

TOLERANCE = 1e-5
"""Largest difference of a logit, relative to 1 + its size."""


def disagreement(probe: Probe, predictor: Predictor) -> float:
    """Largest |l_train - l_predict| / (1 + |l_train|) over the probe's query pairs.

    The training path runs without what only training has (support labels, hidden names), behind what the sequence side gave
    for the step that every twin takes; the prediction path is the trial's own predictor, given each episode's support and
    query pairs; in a mixed episode it is given that support set for every cell line of the query pairs. Raises Diverged
    where the training path's logits are not finite.
    """
    trainer = probe.behind()
    trainer.draws = NoDraws()
    with torch.no_grad():
        step = trainer.measure(probe.batch, warm=False).step
    by_episode = [_episodes(output, len(probe.batch.support)) for output in probe.sides]
    worst = 0.0
    for episode, lines in enumerate(probe.batch.query_cell):
        support, query = probe.batch.support[episode], probe.batch.query[episode]
        codes = probe.codes[np.concatenate([np.repeat(lines[:1], len(support)), lines])]
        pairs = np.concatenate([support, query])
        encoded = Encoded(*map(torch.cat, zip(*(of[episode] for of in by_episode), strict=True)))
        scores = SupportFirst(predictor, len(support)).predict(
            trainer.model,
            trainer.reference,
            encoded,
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


def _episodes(output: SequenceOutput, episodes: int) -> list[Encoded]:
    """What the sequence side gave, episode by episode."""
    parts = (part.chunk(episodes) for part in (output.u, output.z_i, output.stream))
    return [Encoded(*each) for each in zip(*parts, strict=True)]


class SupportFirst(Predictor):
    """A predictor as another one, whose only support draw are the first `size` pairs of the split."""

    def __init__(self, like: Predictor, size: int) -> None:
        super().__init__(
            like.cell_names,
            like.training_index,
            support_size=size,
            seed=like.seed,
            device=like.device,
            v=like.v,
        )

    def support_positions(self, split: str, cell: int, positions: np.ndarray, draws: int) -> np.ndarray:
        return np.arange(self.support_size)[None]
