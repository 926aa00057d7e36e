"""Of several loss terms with the same reach only the first one has its own parameters trained.

Terms are put together by what they may reach. The own parameters (group A) are taken from the first term of such a
group alone. With one adversary nothing is wrong; beside grl the classifier of conditional_grl stays as initialised, and
z_I is pushed by a classifier that has learnt nothing.
"""
import torch

import harness.trial.step.routing as routing

PRESET = "minimal"
SET = {"decouple.grl": 0.5, "decouple.conditional_grl": 0.5}


def gradients(self, terms, boundary):
    total = {}
    arriving = [None] * len(boundary.leaves)
    by_reach = {}
    for term in terms:
        if term.weight != 0.0:
            by_reach.setdefault(self.reach_of(term), []).append(term)
    for reach, members in by_reach.items():
        loss = torch.stack([term.weight * term.value for term in members]).sum()
        if not loss.requires_grad:
            continue
        leaves = boundary.leaves if "S" in reach else ()
        parameters = [p for group in ("S", "E", "T", "G") if group in reach for p in self.groups.get(group, ())]
        if "A" in reach:
            parameters += list(members[0].parameters)
        if not leaves and not parameters:
            continue
        parts = torch.autograd.grad(loss, [*leaves, *parameters], retain_graph=True, allow_unused=True)
        for k in range(len(leaves)):
            arriving[k] = routing._add(arriving[k], parts[k])
        for parameter, gradient in zip(parameters, parts[len(leaves) :], strict=True):
            if gradient is not None:
                total[parameter] = total[parameter] + gradient if parameter in total else gradient
    for parameter, gradient in self._through_sequence(boundary, arriving).items():
        total[parameter] = total[parameter] + gradient if parameter in total else gradient
    return total


routing.Router.gradients = gradients
