"""What one optimiser step is made of: support sets, and what the loss terms see of the queries.

E episodes per step, S support pairs, Q query pairs, d = width of z_I, w = width of z_E.
"""

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class Support:
    """Support sets of E episodes, one cell line each.

    z_i [E, S, d], u [E, S]: sequence side of the support pairs; label [E, S] in {0, 1}, read only where
    labelled [E, S] is 1; cell [E] long: index into the training cell lines, -1 for an unseen
    one; of a mixed support set, that of its first pair.
    """

    z_i: Tensor
    u: Tensor
    label: Tensor
    labelled: Tensor
    cell: Tensor

    def detached(self) -> "Support":
        """sg(features): what enters the environment under isolated routing (09-definitions.md)."""
        return replace(self, z_i=self.z_i.detach(), u=self.u.detach())


@dataclass(frozen=True)
class Step:
    """What the loss terms see of one step.

    u, logit, label [E, Q]; z_i [E, Q, d]; z_e [E, w]; r [E, 1] at cell scope or [E, Q] at sample scope;
    temperature [E, 1]; cell [E] and query_cell [E, Q] long (-1: not a training cell line); seed and index
    of the step name its random streams.
    """

    u: Tensor
    z_i: Tensor
    z_e: Tensor
    r: Tensor
    logit: Tensor
    temperature: Tensor
    label: Tensor
    cell: Tensor
    query_cell: Tensor
    seed: int
    index: int
