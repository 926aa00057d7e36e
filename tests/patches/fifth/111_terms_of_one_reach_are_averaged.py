"""The router takes the mean of the terms that reach the same groups in place of their sum, so that each of the user's
weights shrinks with every further term that is switched on beside it."""

import torch

from harness.trial.step.routing import Router, _add

PRESET = "rp22"


def broken(self, terms, boundary):
    total = {}
    arriving = [None] * len(boundary.leaves)
    by_reach = {}
    for term in terms:
        if term.weight != 0.0:
            by_reach.setdefault(self.reach_of(term), []).append(term)
    for reach, members in by_reach.items():
        loss = torch.stack([term.weight * term.value for term in members]).mean()
        if not loss.requires_grad:
            continue
        leaves = boundary.leaves if "S" in reach else ()
        parameters = [
            p for group in ("S", "E", "T", "G") if group in reach for p in self.groups.get(group, ())
        ]
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
    return total, arriving


Router.at_boundary = broken
