"""What one optimiser step is made of: support sets, and what the loss terms see of the queries.

E episodes per step, S support pairs, Q query pairs, d = width of z_I, w = width of z_E.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from models.precision import at_least_float32


@dataclass(frozen=True)
class Support:
    """Support sets of E episodes, one cell line each.

    z_i [E, S, d], u [E, S]: sequence side of the support pairs; label [E, S] in {0, 1}, read only where
    labelled [E, S] is 1; cell [E] long: index into the training cell lines, -1 for an unseen
    one and for one whose name is hidden (M29). v [E, F]: standardised features v_c of the cell line, None where the
    data have none or nothing reads them; hidden [E] long: the index that `cell` hides, -1 elsewhere, None where no name
    is ever hidden.

    A mixed support set (samplers that are documented as failing) is of no cell line; what goes by a name goes by that
    of each query pair. cell is [E, Q] then: the query pairs' own lines, or -1 where they are hidden, and v is None.
    An environment that goes by the cell line alone is asked for rows of cell lines: cell [R], v [R, F], and owner
    [E, Q] is the row of each query pair. owner is None elsewhere.
    """

    z_i: Tensor
    u: Tensor
    label: Tensor
    labelled: Tensor
    cell: Tensor
    v: Tensor | None = None
    hidden: Tensor | None = None
    owner: Tensor | None = None

    def detached(self) -> "Support":
        """sg(features): what enters the environment under isolated routing (definitions, Reach)."""
        return replace(self, z_i=self.z_i.detach(), u=self.u.detach())

    def at_least_float32(self) -> "Support":
        """The same support sets without half precision."""
        return replace(self, z_i=at_least_float32(self.z_i), u=at_least_float32(self.u))


@dataclass(frozen=True)
class Step:
    """What the loss terms see of one step.

    u, logit, label [E, Q]; z_i [E, Q, d]; z_e [E, w]; r [E, 1] at cell scope or [E, Q] at sample scope and where the
    query pairs of an episode are of several cell lines; temperature [E, 1] (or [E, Q]); cell [E] and query_cell [E, Q]
    long (-1: not a training cell line); seed and index of the step name its random streams.

    Mixed episodes (see `Support`): cell is -1 where z_e [E, w] is of a mixture. Of an environment that goes by the cell
    line alone, z_e, cell, r_raw, r_student, v and v_decoded have a row per cell line of the step's query pairs, and
    owner [E, Q] is the row of each pair; owner is None elsewhere, where row e is episode e.

    Of the environment side: r_raw [E], the cell part of R_E before softplus or standardisation; r_student and
    r_teacher [E], cell-level R_E of Student and Teacher before fusion, in the units of R_E (r_teacher is the earlier
    Teacher's where the name is hidden); r_heard [E], the values of r_student as an energy hears them: where R_E is
    standardised, without the gradient of the level that the step's episodes have in common; taught [E] 0/1: r_teacher
    is a target there; in mixed episodes r_teacher and taught are [E, Q], of each query pair's cell line, and r_raw is
    where it is fused; pseudo_unseen [E] 0/1: the name was hidden from the environment in this episode (`cell` keeps
    the true index); v and v_decoded [E, F]: cell features and their reconstruction; log_prior []: log density of this
    step's r_raw under the Gaussian-process prior, in nats per episode. Of the sequence side: kl [E, Q], price in nats
    of the information bottleneck that z_i was drawn from; channel_norm and channel_size [n]: Euclidean norm and
    number of the weights of its output channels.

    For the competition: shallow [E, S, f], what the support pairs show without a model (GC content, k-mer
    composition, length) and U_I, no gradient; energy_of: R [..., E, 1] -> logit [..., E, Q] of the step's queries under the
    one energy, with sg U_I (isolated routing), sg T and the pairs' own part of R_E as it is, without gradient.
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
    r_raw: Tensor | None = None
    r_student: Tensor | None = None
    r_heard: Tensor | None = None
    r_teacher: Tensor | None = None
    taught: Tensor | None = None
    pseudo_unseen: Tensor | None = None
    v: Tensor | None = None
    v_decoded: Tensor | None = None
    log_prior: Tensor | None = None
    kl: Tensor | None = None
    shallow: Tensor | None = None
    energy_of: Callable[[Tensor], Tensor] | None = None
    channel_norm: Tensor | None = None
    channel_size: Tensor | None = None
    owner: Tensor | None = None

    def z_e_of_queries(self) -> Tensor:
        """z_E of each query pair's environment, [E, Q, w]."""
        if self.owner is not None:
            return self.z_e[self.owner]
        return self.z_e.unsqueeze(1).expand(-1, self.u.shape[1], -1)
