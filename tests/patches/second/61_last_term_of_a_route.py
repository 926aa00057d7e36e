"""Of the loss terms that reach the same parameter groups only the last one trains anything.

The terms are grouped by their reach, and a later term takes the place of an earlier one. Each term's value, weight and
gradient share are measured alone and look right in the store; contrast and prototypes move nothing beside a later term.
"""
import torch

from harness.trial.step.routing import Router, _add

PRESET = "rp24"
SET = {}


def gradients(self, terms, boundary):
    total = {}
    arriving = [None] * len(boundary.leaves)
    by_reach = {self.reach_of(term): [term] for term in terms if term.weight != 0.0}
    for reach, members in by_reach.items():
        loss = torch.stack([term.weight * term.value for term in members]).sum()
        if not loss.requires_grad:
            continue
        leaves = boundary.leaves if "S" in reach else ()
        parameters = [p for group in ("S", "E", "T", "G") if group in reach for p in self.groups.get(group, ())]
        if "A" in reach:
            parameters += [p for term in members for p in term.parameters]
        if not leaves and not parameters:
            continue
        parts = torch.autograd.grad(loss, [*leaves, *parameters], retain_graph=True, allow_unused=True)
        for k in range(len(leaves)):
            arriving[k] = _add(arriving[k], parts[k])
        for parameter, gradient in zip(parameters, parts[len(leaves) :], strict=True):
            if gradient is not None:
                total[parameter] = total[parameter] + gradient if parameter in total else gradient
    for parameter, gradient in self._through_sequence(boundary, arriving).items():
        total[parameter] = total[parameter] + gradient if parameter in total else gradient
    return total


Router.gradients = gradients
