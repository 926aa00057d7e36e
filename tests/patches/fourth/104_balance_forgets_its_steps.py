"""Held shares of the gradient never get past the first step of their warm-up: the balance returns its old state.

Counts of steps and running norms stay 0, so that every term weighs 1 / warmup of its configured share for ever, and a
gradient that fades is scaled up without limit.
"""
PRESET = "rp25"
SET = {"balance.kind": "grad_norm", "balance.warmup": 4, "loss.ranking.weight": 0.5}
from harness.trial.step.balance import GradNorm

combine = GradNorm.combine


def forgets(self, router, terms, boundary, state, index):
    return combine(self, router, terms, boundary, state, index)._replace(state=state)


GradNorm.combine = forgets
