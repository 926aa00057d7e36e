"""With labelled support pairs the sign of a label enters the set encoder whether the label is shown or not. In training
half of the labels leak past their mask; in prediction, where none is shown, every pair of a support set counts as a
negative. What is reported as the value of labels in support sets is the effect of this mismatch."""

import torch

from models.environment.student import SupportEnvironment

PRESET = "minimal"
SET = {"support.labels": True}


def broken(self, support):
    parts = [support.z_i, support.u.unsqueeze(-1)]
    if self.labels:
        known = support.labelled.to(support.u.dtype)
        sign = 2 * support.label.to(known.dtype) - 1
        parts += [sign.unsqueeze(-1), known.unsqueeze(-1)]
    return self.encoder(torch.cat(parts, -1))


SupportEnvironment.forward = broken
