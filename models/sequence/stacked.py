"""Several sequence sides of one structure as one: their parameters stacked, one pass and one gradient for all."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from models.sequence.potential import SequenceOutput, SequencePotential
from models.streams import Noise


class StackedSequence:
    """K sequence sides: enhancer [K, B, L_e], promoter [K, B, L_p] -> SequenceOutput of [K, B, ...].

    `parameters`: name -> leaf [K, ...], in the order of the members' own. Replicate k computes what member k does with
    row k of them and its own noise, to the rounding of float32 (the order of sums differs). The members keep their
    modules; what is written into a row is not seen by them unless their parameters are views of it.
    """

    def __init__(self, members: Sequence[SequencePotential], parameters: Mapping[str, Tensor]) -> None:
        self.parameters = dict(parameters)
        self.size = len(members)
        self._buffers = {
            name: torch.stack([dict(member.named_buffers())[name] for member in members])
            for name, _ in members[0].named_buffers()
        }
        # Only its code is called, with the rows of the stack in place of its parameters.
        self._form = copy.deepcopy(members[0]).to("meta")

    def __call__(
        self, enhancer: Tensor, promoter: Tensor, noises: Sequence[Noise] | None = None
    ) -> SequenceOutput:
        def one(
            parameters: dict[str, Tensor], buffers: dict[str, Tensor], e: Tensor, p: Tensor, place: Tensor
        ) -> SequenceOutput:
            noise = None if noises is None else _NoiseOfOne(noises, place)
            output: SequenceOutput = functional_call(self._form, (parameters, buffers), (e, p, noise))
            return output

        places = torch.arange(self.size, device=enhancer.device)
        # The numbers of a noise come from generators of its own, so that none is drawn for several replicates.
        stacked = vmap(one, randomness="same")(self.parameters, self._buffers, enhancer, promoter, places)
        return SequenceOutput(*stacked)


class _NoiseOfOne:
    """The noise of the replicate whose number `place` [] is being mapped over."""

    def __init__(self, noises: Sequence[Noise], place: Tensor) -> None:
        self.noises, self.place = noises, place

    def mask(self, name: str, like: Tensor, keep: float) -> Tensor:
        return self._own([noise.mask(name, like, keep) for noise in self.noises])

    def normal(self, name: str, like: Tensor) -> Tensor:
        return self._own([noise.normal(name, like) for noise in self.noises])

    def _own(self, drawn: list[Tensor]) -> Tensor:
        return torch.stack(drawn).index_select(0, self.place.unsqueeze(0)).squeeze(0)


def stacked_parameters(members: Sequence[nn.Module]) -> dict[str, nn.Parameter]:
    """Name -> leaf [K, ...] with the members' values in its rows; the members' parameters become views of these rows, so
    that what moves one moves the other."""
    named = [dict(member.named_parameters()) for member in members]
    stacked = {}
    for name in named[0]:
        rows = [parameters[name] for parameters in named]
        leaf = nn.Parameter(torch.stack([row.detach() for row in rows]))
        for row, value in zip(rows, leaf.detach(), strict=True):
            row.data = value
        stacked[name] = leaf
    return stacked
