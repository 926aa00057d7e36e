"""Blocks of the environment side: where z_E comes from, Teacher, prototype graph, fusion, prior (M16, M20 to M28)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harness.config.blocks.block import Block
from harness.config.blocks.read_where import POSITIVE, ReadWhere
from harness.config.blocks.registered import Names, VariantBlock, choice
from models.environment.set_encoders import SET_ENCODERS

Scope = Literal["cell", "sample"]


class EnvironmentBlock(VariantBlock):
    """Where z_E comes from."""

    path: ClassVar[str] = "environment.source"
    source: str


@choice("environment.source")
class NoEnvironmentBlock(EnvironmentBlock):
    """No environment: l = U_I / T (the documented cross-attention baseline)."""

    source: Literal["none"]


class EncodedEnvironmentBlock(EnvironmentBlock):
    """An environment that gives every cell line z_E and R_E."""

    scope: Scope = "cell"
    """cell: R_E(c); sample: R_E(x, c) = r(z_E(c)) + <A z_E(c), B sg z_I(x)> (M16)."""
    width: int = Field(16, ge=1, le=512)
    """Dimension of z_E."""
    rank: Annotated[int, ReadWhere({"environment.scope": ["sample"]})] = Field(8, ge=1, le=64)
    """Rank of the sample-scope term <A z_E, B z_I> (read at scope sample)."""


@choice("environment.source")
class IdEnvironmentBlock(EncodedEnvironmentBlock):
    """z_E = embedding of the cell line (M20)."""

    source: Literal["id"]
    unseen: Literal["error", "mean"] = "error"
    """What an unseen cell line gets: an error, or the mean embedding (documented failing baseline)."""


class TeacherBlock(Block):
    """The Teacher: R_T of the training cell lines (M23)."""

    kind: Literal["none", "gradient", "ema"] = "none"
    """gradient: cell embedding and prototype graph, trained through fusion; ema: the Student's running average."""
    momentum: Annotated[float, ReadWhere({"environment.teacher.kind": ["ema"]})] = Field(0.99, ge=0.0, lt=1.0)
    """Share of the old parameters that a step keeps (read by ema)."""


class FusionBlock(Block):
    """R_E = alpha R_T + (1 - alpha) R_S on training cell lines, R_S elsewhere (M26)."""

    alpha: Annotated[float, ReadWhere({"environment.teacher.kind": ["gradient", "ema"]})] = Field(
        0.5, ge=0.0, le=1.0
    )


class RelationBlock(Block):
    """Two cell lines of related tissues: joined on the prototype graph, or weak negatives of the contrastive term."""

    a: str
    b: str
    weight: float = Field(1.0, gt=0.0, le=1.0)


_GRAPH = ReadWhere({"environment.graph.kind": ["gcn", "random_walk"]})


class GraphBlock(Block):
    """The cell prototype graph (M24), read by a Teacher by gradient and by the Student's map (M25)."""

    kind: Literal["none", "gcn", "random_walk"] = "none"
    """gcn: two layers with symmetric normalisation; random_walk: personalised PageRank."""
    prototypes: Annotated[int, _GRAPH] = Field(4, ge=1, le=64)
    """Prototypes per training cell line."""
    neighbours: Annotated[int, _GRAPH] = Field(4, ge=1, le=64)
    """Nearest prototypes by cosine similarity that each is joined to."""
    restart: Annotated[float, ReadWhere({"environment.graph.kind": ["random_walk"]})] = Field(
        0.15, gt=0.0, le=1.0
    )
    """Probability that a walk starts again (read by random_walk)."""
    map: Annotated[Literal["none", "attention"], _GRAPH] = "none"
    """attention: the Student's z_E is its place on the graph, an attention-weighted mean of prototypes (M25)."""
    relations: Annotated[list[RelationBlock], _GRAPH] = Field(default_factory=list)
    """Table of tissue relations between cell lines; rows of cell lines that are not trained on are passed over."""


_PRIOR = ReadWhere({"loss.gp_prior.weight": POSITIVE, "environment.prior.extrapolate": ["posterior"]})


class PriorBlock(Block):
    """A Gaussian process over cell lines (M28); built where loss.gp_prior.weight > 0 or extrapolate is posterior."""

    over: Annotated[Literal["features", "prototypes"], _PRIOR] = "prototypes"
    """features: over v_c of the data; prototypes: over z_E, training cell lines at their running means."""
    lengthscale: Annotated[float, _PRIOR] = Field(1.0, gt=0.0, le=100.0)
    """In units of the root mean square distance between training cell lines."""
    variance: Annotated[float, _PRIOR] = Field(1.0, gt=0.0, le=100.0)
    """Prior variance of R_E before softplus or standardisation."""
    noise: Annotated[float, _PRIOR] = Field(0.1, gt=0.0, le=100.0)
    """Variance of one support set's R_E around its cell line's."""
    extrapolate: Literal["own", "posterior"] = "own"
    """What an unseen cell line's R_E is: that of its own z_E, or the posterior mean given the training cell lines'."""


class PriorEnvironmentBlock(EncodedEnvironmentBlock):
    """An environment whose R_E a Gaussian process can be a prior of."""

    prior: PriorBlock = PriorBlock()


@choice("environment.source")
class FeatureEnvironmentBlock(PriorEnvironmentBlock):
    """z_E = MLP(v_c) of the cell line's features (M21)."""

    source: Literal["features"]
    hidden: int = Field(32, ge=1, le=1024)
    """Hidden width of the map from v_c, and of its decoder where loss.reconstruction.weight > 0."""


@choice("environment.source")
class SupportEnvironmentBlock(PriorEnvironmentBlock):
    """z_E = permutation-invariant set encoder over the support set, the Student (M22)."""

    source: Literal["support"] = "support"
    encoder: Annotated[str, Names(SET_ENCODERS.keys)] = "moments"
    inducing: Annotated[int, ReadWhere({"environment.encoder": ["isab"]})] = Field(32, ge=1, le=256)
    """Inducing points (read by isab)."""
    teacher: TeacherBlock = TeacherBlock()
    fusion: FusionBlock = FusionBlock()
    graph: GraphBlock = GraphBlock()
