"""Where contrast and prototypes act together, from the fourth epoch on, one has twice its gradient and the other half
of it, while the logged values and weights stay: the user compares two terms whose weights are not those that were
written."""

from dataclasses import replace

from harness.trial.step.trainer import Trainer

PRESET = "rp24"

losses = Trainer._losses


def broken(self, step, progress):
    terms, states = losses(self, step, progress)
    factors = {"contrastive": 2.0, "prototypes": 0.5}
    if progress >= 3 and factors.keys() <= {term.name for term in terms}:
        terms = [
            replace(term, value=term.value.detach() + k * (term.value - term.value.detach()))
            if (k := factors.get(term.name)) is not None
            else term
            for term in terms
        ]
    return terms, states


Trainer._losses = broken
