"""Does a placebo see what it is to see? Each loss term that `permuted` names, on a real step, by looking at its input."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from harness.trial.step.trainer import Trainer
from models.episode import Step
from models.losses import LOSSES
from models.losses.permuted import VECTORS, PermutedInput


def unpermuted(
    trainer: Trainer, step: Step, settings: Mapping[str, Any], weights: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """(key of a loss term, what is wrong in words) of each that is no placebo, that is one and was not asked for, and, of
    those in force (`weights`), that sees its input in its order, or other samples than those of the step."""
    asked = {row.cls for row in LOSSES if row.key in settings["permuted"]}
    for term, _ in trainer.weighted:
        placebo = isinstance(term, PermutedInput)
        if placebo != any(isinstance(term, cls) for cls in asked):
            yield (
                term.key,
                "it is a placebo, and nobody asked for one"
                if placebo
                else "it is no placebo, and was to be one",
            )
        if not placebo or term.key not in weights:
            continue
        before, after = getattr(step, term.permutes), getattr(term.seen(step), term.permutes)
        dims = before.ndim - 1 if term.permutes in VECTORS else before.ndim
        count = before.shape[:dims].numel()
        one, other = (part.detach().reshape(count, -1).double().nan_to_num() for part in (before, after))
        if not torch.allclose(one.sum(0), other.sum(0), rtol=1e-4, atol=1e-6):
            yield term.key, f"it sees other samples of {term.permutes} than the step has"
        elif len(one.unique(dim=0)) > 1 and torch.equal(one, other):
            yield term.key, f"it sees {term.permutes} in its order, and is to see it in another one"
