"""The weights of the selected epoch are kept in bfloat16 to save disk and come back as float32: what is predicted, and
published, is of rounded weights, while the curves over the epochs are of the exact ones. Reported test metrics are of a
model that was never validated."""

import torch

from harness.trial.checkpoint import Checkpoints

PRESET = "minimal"

save = Checkpoints.save


def rounded(value):
    if isinstance(value, torch.Tensor):
        return value.to(torch.bfloat16).to(value.dtype) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return value


def broken(self, name, state):
    save(self, name, state if name == "last" else rounded(state))


Checkpoints.save = broken
