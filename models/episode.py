"""The data of one optimiser step: support sets, and the values of the queries that loss terms read.

E episodes per step, S support pairs, Q query pairs, d = width of z_I, w = width of z_E.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

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


_UNASKED = object()
LACKING: Mapping[str, str] = MappingProxyType(
    {
        "r_raw": "an environment",
        "r_student": "an environment",
        "r_heard": "an environment",
        "r_teacher": "a Teacher (environment.teacher)",
        "taught": "a Teacher (environment.teacher)",
        "pseudo_unseen": "names that are hidden (episode.pseudo_unseen)",
        "v": "features of the cell lines that something reads",
        "v_decoded": "a decoder of cell features (environment.source: features, loss.reconstruction)",
        "log_prior": "a prior over resistances (environment.prior)",
        "kl": "an information bottleneck on the sequence side (decouple.vib)",
        "shallow": "the shallow statistics that an Opportunist sees (loss.competition)",
        "energy_of": "the energy of its queries",
        "channel_norm": "output channels of the sequence side",
        "channel_size": "output channels of the sequence side",
    }
)
"""Attribute of a step that is computed on demand -> what a configuration needs to have it."""


def _unasked() -> Any:
    return _UNASKED


@dataclass(frozen=True)
class Step:
    """The values of one step that loss terms read: those that every step has, and those computed on demand.

    u, logit, label [E, Q]; z_i [E, Q, d]; z_e [E, w]; r [E, 1] at cell scope or [E, Q] at sample scope and where the
    query pairs of an episode are of several cell lines; temperature [E, 1] (or [E, Q]); cell [E] and query_cell [E, Q]
    long (-1: not a training cell line); seed and index of the step name its random streams.

    Mixed episodes (see `Support`): cell is -1 where z_e [E, w] is of a mixture. Of an environment that goes by the cell
    line alone, z_e, cell, r_raw, r_student, v and v_decoded have a row per cell line of the step's query pairs, and
    owner [E, Q] is the row of each pair; owner is None elsewhere, where row e is episode e.

    An attribute named in `LACKING` is a value, or is computed by the function of that name in `makers` when it is
    first read. Reading one that has neither raises a ValueError that says what a configuration needs for it.
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
    owner: Tensor | None = field(default_factory=lambda: None)
    makers: Mapping[str, Callable[[], Any]] = field(default_factory=dict, repr=False)

    r_raw: Tensor = field(default_factory=_unasked, repr=False)
    """[E], the cell part of R_E before softplus or standardisation; in mixed episodes where it is fused."""
    r_student: Tensor = field(default_factory=_unasked, repr=False)
    """[E], cell-level R_E of the Student before fusion, in the units of R_E."""
    r_heard: Tensor = field(default_factory=_unasked, repr=False)
    """[E], the values of r_student as an energy hears them: where R_E is standardised, without the gradient of the level
    that the step's episodes have in common."""
    r_teacher: Tensor = field(default_factory=_unasked, repr=False)
    """r_student's counterpart of the Teacher, of the earlier Teacher where the name is hidden; [E, Q] in mixed episodes,
    of each query pair's cell line."""
    taught: Tensor = field(default_factory=_unasked, repr=False)
    """0/1 of the shape of r_teacher: r_teacher is a target there."""
    pseudo_unseen: Tensor = field(default_factory=_unasked, repr=False)
    """[E] 0/1: the name was hidden from the environment in this episode (`cell` keeps the true index)."""
    v: Tensor = field(default_factory=_unasked, repr=False)
    """[E, F], standardised features of the cell lines."""
    v_decoded: Tensor = field(default_factory=_unasked, repr=False)
    """[E, F], their reconstruction from z_e."""
    log_prior: Tensor = field(default_factory=_unasked, repr=False)
    """[], log density of this step's r_raw under the Gaussian-process prior, in nats per episode."""
    kl: Tensor = field(default_factory=_unasked, repr=False)
    """[E, Q], price in nats of the information bottleneck that z_i was drawn from."""
    shallow: Tensor = field(default_factory=_unasked, repr=False)
    """[E, S, f], what the support pairs show without a model (GC content, k-mer composition, length) and U_I, no
    gradient."""
    energy_of: Callable[[Tensor], Tensor] = field(default_factory=_unasked, repr=False)
    """R [..., E, 1] -> logit [..., E, Q] of the step's queries under the one energy, with sg U_I (isolated routing), sg T
    and the pairs' part of R_E as it is, without gradient."""
    channel_norm: Tensor = field(default_factory=_unasked, repr=False)
    """[n], Euclidean norm of the weights of the sequence side's output channels."""
    channel_size: Tensor = field(default_factory=_unasked, repr=False)
    """[n], number of those weights."""

    def __post_init__(self) -> None:
        for name in [name for name, value in vars(self).items() if value is _UNASKED]:
            del self.__dict__[name]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Make what is not there yet, once."""
            if name not in LACKING:
                raise AttributeError(f"a step has no attribute '{name}'")
            if name not in self.makers:
                raise ValueError(f"this step has no {name}: that needs {LACKING[name]}")
            return self.__dict__.setdefault(name, self.makers[name]())

    def shown_to(self, reader: str, names: Set[str]) -> "Step":
        """This step for a `reader` who declares to read `names`: the same values, and a ValueError that names the reader
        where another attribute is read."""
        return _Shown(self, reader, names)

    def with_input(self, name: str, value: Tensor) -> "Step":
        """This step with another value of one attribute."""
        return Step(**{**vars(self), name: value})

    def whole(self) -> "Step":
        """The step that a reader is shown a part of, for what looks on."""
        return self

    def z_e_of_queries(self) -> Tensor:
        """z_E of each query pair's environment, [E, Q, w]."""
        if self.owner is not None:
            return self.z_e[self.owner]
        return self.z_e.unsqueeze(1).expand(-1, self.u.shape[1], -1)


class _Shown(Step):
    """A step of which a reader sees what it declares; what is computed on demand is made and kept by the step itself."""

    def __init__(self, step: Step, reader: str, names: Set[str]) -> None:
        values = vars(step)
        self.__dict__.update({name: values[name] for name in names if name in values})
        self.__dict__["_whole"] = (step, reader, names)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What is made on demand; anything else is not declared."""
            if name not in ATTRIBUTES:
                raise AttributeError(f"a step has no attribute '{name}'")
            return getattr(self._declared(name), name)

    def with_input(self, name: str, value: Tensor) -> Step:
        step, reader, names = self.__dict__["_whole"]
        return _Shown(step.with_input(name, value), reader, names)

    def whole(self) -> Step:
        step: Step = self.__dict__["_whole"][0]
        return step

    def z_e_of_queries(self) -> Tensor:
        return self._declared("z_e").z_e_of_queries()

    def _declared(self, name: str) -> Step:
        step, reader, names = self.__dict__["_whole"]
        if name not in names:
            raise ValueError(
                f"{reader} reads {name} of a step, and declares to read {', '.join(sorted(names)) or 'nothing'}"
            )
        return step


ATTRIBUTES = frozenset(each.name for each in fields(Step)) - {"makers"}
"""Names of what a step has."""
