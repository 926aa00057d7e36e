"""The learned temperature divides the logits of training and not those of prediction, where T is 1.

Whatever runs without gradient takes the initial value; logits, likelihoods and thresholds are those of another energy.
"""
PRESET = "rp24"
SET = {}
import torch

from models.energy.temperature import LearnedTemperature

_forward = LearnedTemperature.forward


def forward(self, z_e, episodes):
    if not torch.is_grad_enabled():
        return self.t.new_ones(()).expand(episodes, 1)
    return _forward(self, z_e, episodes)


LearnedTemperature.forward = forward
