"""Under a dual stream the Student sees z_I of the support pairs at prediction, where in training it sees the other stream.

The cache of sequence features keeps one tensor for both uses. Training is untouched; every evaluation and prediction feeds
the environment from the intrinsic subspace, which is orthogonal to the one that it was trained on.
"""
PRESET = "minimal"
SET = {"decouple.dual_stream": True, "environment.width": 3}
import harness.trial.score.scoring as scoring

encode_pairs = scoring.encode_pairs


def encoded(model, dataset, pairs, device, batch):
    cached = encode_pairs(model, dataset, pairs, device, batch)
    return cached._replace(stream=cached.z_i)


scoring.encode_pairs = encoded
