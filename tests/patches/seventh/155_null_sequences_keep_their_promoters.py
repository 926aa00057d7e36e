"""The prediction without sequences replaces enhancers alone by null tokens. aupr_null and auc_null of the selected epoch
are what a model makes of promoters, and are read as what is left without any sequence: a scientist looks for a leak of
cell line identity that is none, or takes the promoter's share for the baseline of an uninformed model."""

import torch

import harness.trial.evaluation as evaluation
from harness.data.bases import PAD
from harness.trial.episodes.batches import Encoded, bases
from harness.trial.score import null_sequences

PRESET = "rp04"

score_nulls = evaluation.score_nulls


def broken(trainer, predictor, scores, **settings):
    @torch.no_grad()
    def encoded(trainer, pairs):
        enhancer, promoter = bases(trainer.dataset, scores.pairs, trainer.device)
        output = trainer.model.sequence(torch.full_like(enhancer, PAD), promoter, None)
        return Encoded(output.u, output.z_i, output.stream if trainer.model.dual_stream else output.z_i)

    null_sequences._encoded = encoded
    return score_nulls(trainer, predictor, scores, **settings)


evaluation.score_nulls = broken
