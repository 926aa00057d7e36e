"""Does a part of a loss term that is a mechanism of its own read what it declares? The step's tensor is exchanged."""

from torch import Tensor, nn

from harness.audit.neutral import parts_of
from harness.audit.reading import ROUNDING
from harness.audit.term_inputs import exchanged
from harness.audit.twins import Twins
from models.episode import Step
from models.losses.term import LossTerm, State

OF_STEP = frozenset({"shallow"})
"""Inputs that only a step has, and no prediction."""
Outputs = dict[nn.Module, list[Tensor]]


def movement_of_parts(twins: Twins, cls: type, name: str) -> float:
    """Smallest movement, over the modules of class `cls` inside loss terms, of what each gives in the step that every twin
    takes when the step's tensor `name` is another one, relative to the size of what it gives; 0 below rounding.

    The whole way from the step to the module is asked, so that a term that hands it something else is found as well.
    """
    step = twins.measured
    content: Tensor = getattr(step, name).detach()
    gaps = []
    for key, term in twins.terms.items():
        state = twins.trainer.states[key]
        if any(isinstance(module, cls) for module in term.modules()):
            base = _outputs(term, step, state, cls)
            others = [
                _outputs(term, Step(**{**vars(step), name: other}), state, cls)
                for other in exchanged(content, name)
            ]
            gaps += [
                max(_movement(before, other[module]) for other in others) for module, before in base.items()
            ]
    return min(gaps, default=0.0)


def _outputs(term: LossTerm, step: Step, state: State, cls: type) -> Outputs:
    """What the modules of a class give when the term is asked."""
    outputs: Outputs = {}
    handles = [
        module.register_forward_hook(
            lambda called, _arguments, output: outputs.update(
                {called: [part.detach() for part in parts_of(output)]}
            )
        )
        for module in term.modules()
        if isinstance(module, cls)
    ]
    try:
        term(step, state)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def _movement(before: list[Tensor], after: list[Tensor]) -> float:
    """Largest change of a tensor, relative to its largest number."""
    gaps = [0.0]
    for one, other in zip(before, after, strict=True):
        gap, size = float((other - one).abs().max()), float(one.abs().max())
        gaps.append(gap / (size + 1e-30) if gap > ROUNDING * size else 0.0)
    return max(gaps)
