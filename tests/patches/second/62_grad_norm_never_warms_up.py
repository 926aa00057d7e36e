"""The balance by gradient norms stays in its first step of warm-up for ever.

What it counted in a step is thrown away: the number of steps and the running mean of each term's norm are those of the
beginning at every step, so that every term beside the task keeps 1 / warmup of the share that the configuration asks for.
"""
from dataclasses import replace

import harness.trial.step.balance as balance
from harness.trial.step.balance import Combined, GradNorm

PRESET = "rp13"
SET = {"balance.kind": "grad_norm", "balance.warmup": 8}


def combine(self, router, terms, boundary, state, index):
    separate = {term.name: router.gradients([replace(term, weight=1.0)], boundary) for term in terms}
    weighed = []
    for term in terms:
        if term.name == "task":
            weighed.append(term)
            continue
        norm, task = router.norms(term, separate)
        held, _ = self._held(term, norm, task, state)
        weighed.append(replace(term, weight=held))
    weights = {term.name: term.weight for term in weighed}
    return Combined(balance._weighted_sum(separate, weights), weighed, state)


GradNorm.combine = combine
