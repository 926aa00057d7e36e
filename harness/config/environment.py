"""Blocks of the environment side: where z_E comes from, Teacher, prototype graph, fusion, prior (M16, M20 to M28)."""

from typing import Annotated, Literal

from pydantic import Field

from harness.config.block import Block

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


EnvironmentBlock = Annotated[
    NoEnvironment | IdEnvironment | SupportEnvironment, Field(discriminator="source")
]
