"""Blocks of the environment side: where z_E comes from, Teacher, prototype graph, fusion, prior (M16, M20 to M28)."""

from typing import Annotated, Literal

from pydantic import Field

from harness.config.blocks.block import Block

Scope = Literal["cell", "sample"]


class NoEnvironment(Block):
    """No environment: l = U_I / T (the documented cross-attention baseline)."""

    source: Literal["none"]


class IdEnvironment(Block):
    """z_E = embedding of the cell line (M20)."""

    source: Literal["id"]
    scope: Scope = "cell"
    width: int = Field(16, ge=1, le=512)
    """Dimension of z_E."""
    rank: int = Field(8, ge=1, le=64)
    """Rank of the sample-scope term <A z_E, B z_I> (read at scope sample)."""
    unseen: Literal["error", "mean"] = "error"
    """What an unseen cell line gets: an error, or the mean embedding (documented failing baseline)."""


class TeacherBlock(Block):
    """The Teacher: R_T of the training cell lines (M23)."""

    kind: Literal["none", "gradient", "ema"] = "none"
    """gradient: cell embedding and prototype graph, trained through fusion; ema: the Student's running average."""
    momentum: float = Field(0.99, ge=0.0, lt=1.0)
    """Share of the old parameters that a step keeps (read by ema)."""


class FusionBlock(Block):
    """R_E = alpha R_T + (1 - alpha) R_S on training cell lines, R_S elsewhere (M26)."""

    alpha: float = Field(0.5, ge=0.0, le=1.0)


class Relation(Block):
    """Two cell lines of related tissues: joined on the prototype graph, or weak negatives of the contrastive term."""

    a: str
    b: str
    weight: float = Field(1.0, gt=0.0, le=1.0)


class GraphBlock(Block):
    """The cell prototype graph (M24), read by a Teacher by gradient and by the Student's map (M25)."""

    kind: Literal["none", "gcn", "random_walk"] = "none"
    """gcn: two layers with symmetric normalisation; random_walk: personalised PageRank."""
    prototypes: int = Field(4, ge=1, le=64)
    """Prototypes per training cell line."""
    neighbours: int = Field(4, ge=1, le=64)
    """Nearest prototypes by cosine similarity that each is joined to."""
    restart: float = Field(0.15, gt=0.0, le=1.0)
    """Probability that a walk starts again (read by random_walk)."""
    map: Literal["none", "attention"] = "none"
    """attention: the Student's z_E is its place on the graph, an attention-weighted mean of prototypes (M25)."""
    relations: list[Relation] = Field(default_factory=list)
    """Table of tissue relations between cell lines; rows of cell lines that are not trained on are passed over."""


class PriorBlock(Block):
    """A Gaussian process over cell lines (M28); built where loss.gp_prior.weight > 0 or extrapolate is posterior."""

    over: Literal["features", "prototypes"] = "prototypes"
    """features: over v_c of the data; prototypes: over z_E, training cell lines at their running means."""
    lengthscale: float = Field(1.0, gt=0.0, le=100.0)
    """In units of the root mean square distance between training cell lines."""
    variance: float = Field(1.0, gt=0.0, le=100.0)
    """Prior variance of R_E before softplus or standardisation."""
    noise: float = Field(0.1, gt=0.0, le=100.0)
    """Variance of one support set's R_E around its cell line's."""
    extrapolate: Literal["own", "posterior"] = "own"
    """What an unseen cell line's R_E is: that of its own z_E, or the posterior mean given the training cell lines'."""


class FeatureEnvironment(Block):
    """z_E = MLP(v_c) of the cell line's features (M21)."""

    source: Literal["features"]
    scope: Scope = "cell"
    width: int = Field(16, ge=1, le=512)
    """Dimension of z_E."""
    rank: int = Field(8, ge=1, le=64)
    """Rank of the sample-scope term (read at scope sample)."""
    hidden: int = Field(32, ge=1, le=1024)
    """Hidden width of the map from v_c, and of its decoder where loss.reconstruction.weight > 0."""
    prior: PriorBlock = PriorBlock()


class SupportEnvironment(Block):
    """z_E = permutation-invariant set encoder over the support set, the Student (M22)."""

    source: Literal["support"] = "support"
    scope: Scope = "cell"
    """cell: R_E(c); sample: R_E(x, c) = r(z_E(c)) + <A z_E(c), B sg z_I(x)> (M16)."""
    width: int = Field(16, ge=1, le=512)
    """Dimension of z_E."""
    rank: int = Field(8, ge=1, le=64)
    """Rank of the sample-scope term (read at scope sample)."""
    encoder: Literal["mean", "moments", "attention", "isab"] = "moments"
    inducing: int = Field(32, ge=1, le=256)
    """Inducing points (read by isab)."""
    teacher: TeacherBlock = TeacherBlock()
    fusion: FusionBlock = FusionBlock()
    graph: GraphBlock = GraphBlock()
    prior: PriorBlock = PriorBlock()


EnvironmentBlock = Annotated[
    NoEnvironment | IdEnvironment | FeatureEnvironment | SupportEnvironment, Field(discriminator="source")
]
