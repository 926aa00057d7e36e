"""Does a placebo see what it is to see? Each loss term that `permuted` names, on a real step, by looking at its input."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from harness.trial.step.trainer import Trainer
from models.episode import Step
from models.losses import LOSSES
from models.losses.permuted import VECTORS, PermutedInput
from models.losses.term import LossTerm

TELLING, LATER = 4, range(1, 13)
"""Samples of which two orders are the same by chance once in 6 times, and the next steps whose orders are compared."""


def unpermuted(
    trainer: Trainer, step: Step, settings: Mapping[str, Any], weights: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """(key of a loss term, what is wrong in words) of each that is no placebo, that is one and was not asked for, and, of
    those in force (`weights`), that sees its input in its order, leaves a sample in its place, has one order for every
    step, or sees other samples than those of the step."""
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
        elif count > 1 and bool((_order(term, step, count) == torch.arange(count)).any()):
            yield term.key, f"it leaves samples of {term.permutes} in their place, and is to move every one"
        elif count >= TELLING and all(
            torch.equal(_order(term, step, count), _order(term, _later(step, ahead), count))
            for ahead in LATER
        ):
            yield term.key, f"it sees {term.permutes} in the same order at every step"


def _later(step: Step, ahead: int) -> Step:
    return Step(**{**vars(step), "index": step.index + ahead})


def _order(term: LossTerm, step: Step, count: int) -> Tensor:
    """The places that a placebo's samples come from, int64 [count]."""
    content: Tensor = getattr(step, term.permutes)
    marks = torch.arange(count, dtype=content.dtype, device=content.device)
    vectors = term.permutes in VECTORS
    marks = marks.view(*content.shape[:-1], 1) if vectors else marks.view(content.shape)
    seen: Tensor = getattr(
        term.seen(step.with_input(term.permutes, marks.expand(content.shape))), term.permutes
    )
    return (seen[..., 0] if vectors else seen).flatten().long().cpu()
