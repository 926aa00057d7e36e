"""The interface of an environment: support sets in, one representation z_E per episode out."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from models.episode import Support
from models.part import ModelPart
from models.registry import Registry, Settings
from models.sizes import Sizes


class UnseenCellLineError(LookupError):
    """The environment has no representation of a cell line."""


class EnvironmentOutput(NamedTuple):
    """Output of the environment side for E support sets.

    z_e [R, w]: the Student's (or the only source's) representation, R = E; cell [E]: index of the training cell line,
    -1 for an unseen or hidden one; teacher (raw_T [E], share [E]) with a Teacher (M23, M26); place [R, F] in the space
    of a Gaussian-process prior (M28), and hidden [R], the cell line whose own value it must not use there. Of mixed
    episodes (see `Support`) cell, raw_T and share are [E, Q], one per query pair; or, of a source that goes by the
    cell line alone, there are R rows of cell lines, and owner [E, Q] is the row of each query pair.
    """

    z_e: Tensor
    cell: Tensor
    teacher: tuple[Tensor, Tensor] | None = None
    place: Tensor | None = None
    hidden: Tensor | None = None
    owner: Tensor | None = None


class Environment(ModelPart):
    """A source of z_E = environment(support): forward(support of E episodes) -> z_e [E, w].

    The episodes do not see each other, and the order of the pairs of a support set does not matter. Nothing
    is detached here: under isolated routing the caller passes `support.detached()`.
    """

    acts: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    """Where it acts and what it reads (`models.registry`)."""
    group = "E"
    width: int
    """w, the dimension of z_E."""
    by_cell: ClassVar[bool] = False
    """Whether z_E is of the cell line itself, whatever pairs are in the support set."""
    permutes: ClassVar[str] = ""
    """What is known of cell lines before training and its placebo sees of another training cell line; empty for a source
    that reads pairs, or names."""
    decoder: nn.Module | None
    """z_E [E, w] -> v'_c [E, F]; None for a source that reconstructs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = None

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        """Constructor arguments: what stands beside the source in its block, but the keys of other parts of the
        environment side."""
        beside = ENVIRONMENTS.beside_choice(settings)
        return {key: value for key, value in beside.items() if key not in OTHER_PARTS}

    @abstractmethod
    def forward(self, support: Support) -> Tensor:
        """z_e [E, w]."""

    def check_cells(self, cell: Tensor) -> None:
        """Raise UnseenCellLineError for cell indices that have no z_E; called outside of torch.func."""
        return


ENVIRONMENTS: Registry[Environment] = Registry(
    "environment source", Environment, path="environment.source", group=Environment.group, plain="none"
)
OTHER_PARTS = frozenset({"scope", "rank", "teacher", "fusion", "graph", "prior"})
"""Keys beside `environment.source` that say what is made of z_E, whatever its source."""
