"""A placebo of a loss term: the same module, parameters and weight, on an input that says nothing."""

import torch
from torch import Tensor

from models.episode import Step
from models.losses.term import LossTerm, State
from models.streams import generator

VECTORS = frozenset({"z_i", "z_e", "v"})
"""Inputs whose last dimension is one sample's; of every other one each entry is a sample."""


class PermutedInput(LossTerm):
    """term(step', state), where the samples of one input (`permutes`) are those of step in another order.

    The order is one cycle over all samples of the step, drawn from (seed of the step, "permuted", key, index): no sample
    stays in its place, and what the input says of the others is lost, while its distribution and the term's capacity
    are kept. One sample stays where it is. Mixed into the class of a term by `permuted`.
    """

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return super().forward(self.seen(step), state)  # type: ignore[safe-super]  # of the class that it is mixed into

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return super().parts(self.seen(step), state)

    def seen(self, step: Step) -> Step:
        """The step with the input in another order."""
        content: Tensor = getattr(step, self.permutes)
        samples = content.flatten(0, -2) if self.permutes in VECTORS else content.flatten()
        whole = step.whole()
        source = generator(whole.seed, "permuted", self.key, whole.index)
        order = torch.randperm(len(samples), generator=source)
        place = torch.empty_like(order)
        place[order] = order.roll(1)
        return step.with_input(self.permutes, samples[place.to(samples.device)].view(content.shape))


def permuted(cls: type[LossTerm]) -> type[LossTerm]:
    """A placebo of a class of loss terms.

    Raises
    ------
    ValueError
        for a class that declares no input to permute.
    """
    if not cls.permutes:
        raise ValueError(f"loss term {cls.key} has no input that could be permuted")
    return type(f"Permuted{cls.__name__}", (PermutedInput, cls), {"__doc__": PermutedInput.__doc__})
