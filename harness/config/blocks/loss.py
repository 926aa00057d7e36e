"""Blocks of loss terms (M30 to M39). A weight of 0 means that the term is not built."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field

from harness.config.blocks.block import Before, Block
from harness.config.blocks.environment import RelationBlock
from harness.config.blocks.read_where import POSITIVE, ReadWhere, Wanted
from harness.config.blocks.registered import Names, OpenBlock
from models.losses import LOSSES, LossTerm


class Weighing:
    """Says of a key that it is the weight of a loss term or of a part of one: 0 leaves that out."""


Weight = Annotated[float, Field(ge=0.0, le=100.0), Weighing()]

RANKING_TAU = {"pairwise": 1.0, "smooth_ap": 0.05}
"""`loss.ranking.tau` of each surrogate where none is given."""


def _tasks() -> list[str]:
    return [row.key for row in LOSSES if cast(type[LossTerm], row.cls).weight == "loss.task"]


class LossBlock(OpenBlock):
    """What is minimised beside decoupling: the task, and a block per further term (`@loss_block("KEY")`)."""

    task: Annotated[str, Names(_tasks)] = "immax"

    if TYPE_CHECKING:

        def __getattr__(self, key: str) -> Any: ...


loss_block = LossBlock.of_block
"""Class decorator: the block of the loss term's key under `loss`."""


@loss_block("ranking", always=True)
class RankingLossBlock(Block):
    """Ranking within one cell line (M31)."""

    weight: Weight = 0.0
    surrogate: Literal["pairwise", "smooth_ap"] = "pairwise"
    tau: float | None = Field(None, gt=0.0, le=100.0)
    """Scale of logit differences inside the sigmoid; the surrogate's own when absent: 1 for pairwise, 0.05 for
    smooth_ap, which follows average precision there."""
    max_pairs: Annotated[int, ReadWhere({"loss.ranking.surrogate": ["pairwise"]})] = Field(4096, ge=1)
    """Pairs sub-sampled per cell line for big batches (read by pairwise)."""


@loss_block("speculation", always=True)
class SpeculationLossBlock(Block):
    """Squared hinge on confident negatives plus prior matching (M32)."""

    weight: Weight = 0.0
    margin: float = Field(0.0, ge=-20.0, le=20.0)
    """Logit above which a negative counts as confident."""
    prior: Weight = 1.0
    """Weight of the prior-matching part inside the term."""


@loss_block("contrastive", always=True)
class ContrastiveLossBlock(Block):
    """Supervised InfoNCE on z_E with a cross-batch memory bank (M35)."""

    weight: Weight = 0.0
    tau: float = Field(0.2, gt=0.0, le=10.0)
    bank: int = Field(256, ge=0, le=65536)
    """Entries of the memory bank."""
    relations: Annotated[list[RelationBlock], Before([])] = Field(default_factory=list)
    """Table of relations between cell lines: a pair with weight h is a negative of weight 1 - h (hierarchical weights);
    rows of cell lines that are not trained on are passed over."""


@loss_block("prototypes", always=True)
class PrototypeLossBlock(Block):
    """EMA prototypes of z_E (M36)."""

    weight: Weight = 0.0
    kind: Literal["pull", "contrastive", "hinged"] = "hinged"
    momentum: float = Field(0.9, ge=0.0, lt=1.0)
    tau: Annotated[float, ReadWhere({"loss.prototypes.kind": ["contrastive"]})] = Field(0.2, gt=0.0, le=10.0)
    """Temperature (read by contrastive)."""
    radius: Annotated[float, ReadWhere({"loss.prototypes.kind": ["hinged"]})] = Field(0.5, ge=0.0, le=100.0)
    """Distance within which there is no force (read by hinged)."""


@loss_block("distillation", always=True)
class DistillationLossBlock(Block):
    """mean (R_S(c) - sg R_T(c))^2, moving the Student only (M37)."""

    weight: Weight = 0.0


@loss_block("competition", always=True)
class CompetitionLossBlock(Block):
    """The Student against an Opportunist that sees shallow statistics only (M38, M27)."""

    weight: Weight = 0.0
    scope: Literal["cell", "batch"] = "cell"
    """cell: one rho_c per cell line; batch: one for all of them (documented as failing)."""
    baseline: Literal["opportunist", "teacher"] = "opportunist"
    """What the Student's task loss has to exceed for pull-in."""
    pull: Weight = 1.0
    """Weight of pull-in inside the term."""
    push: Weight = 0.1
    """Weight of push-away inside the term; at any value above 0 the Opportunist pays for a shortcut as well."""
    momentum: float = Field(0.9, ge=0.0, lt=1.0)
    """Momentum of the running losses that rho_c and the Opportunist's advantage are made of."""
    margin: Annotated[float, ReadWhere({"loss.competition.push": POSITIVE})] = Field(0.02, ge=0.0, le=10.0)
    """Advantage of the Opportunist, as a share of the Student's loss, from which a shortcut is one; full at twice that."""
    warmup: int = Field(10, ge=1)
    """Episodes of a cell line, seen and pseudo-unseen each, before anything acts on it."""
    folds: int = Field(8, ge=2, le=32)
    """Opportunists, each of which never learns from one in `folds` cell lines."""


@loss_block("gp_prior", always=True)
class GpPriorLossBlock(Block):
    """Negative log density of R_E under the Gaussian process of environment.prior (M28)."""

    weight: Weight = 0.0


@loss_block("reconstruction", always=True)
class ReconstructionLossBlock(Block):
    """mean (decoder(z_E) - v_c)^2 (M21)."""

    weight: Weight = 0.0


@loss_block("sparsity", always=True)
class SparsityLossBlock(Block):
    """L1 weights, per representation (M39), and of groups of the sequence side's weights (M07)."""

    z_i: Weight = 0.0
    z_e: Weight = 0.0
    r: Weight = 0.0
    """Off by default: it contradicts an environment that acts (source document 004)."""
    groups: Weight = 0.0
    """Group lasso over the output channels of the sequence side's matrices: whole channels shrink together. A mean
    over all weights, so that its gradient is small: 1 is about a hundredth of the task's at size small."""


@loss_block("calibration", always=True)
class CalibrationLossBlock(Block):
    """Hinge that keeps mean and variance of U_I within a range (M39)."""

    weight: Weight = 0.0
    mean: float = Field(1.0, ge=0.0)
    """Largest abs(mean of U_I) without a force."""
    variance_low: float = Field(0.5, ge=0.0)
    variance_high: float = Field(2.0, gt=0.0)


def _reaching() -> dict[str, Wanted]:
    """Weights of the methods that decouple.reach lets reach further."""
    classes = [cast(type[LossTerm], row.cls) for row in LOSSES]
    return {cls.weight: POSITIVE for cls in classes if any(path == "decouple.reach" for path, _ in cls.wider)}


class DecoupleBlock(OpenBlock):
    """Decoupling of z_I and z_E: any subset of estimators, each with its own weight (M33)."""

    orthogonal: Weight = 0.0
    """Squared normalised inner product of z_I and z_E."""
    pearson: Weight = 0.0
    """Mean squared correlation of the dimensions of z_I with those of z_E."""
    grl: Weight = 0.0
    """Domain adversary on z_I through a gradient reversal."""
    infonce: Weight = 0.0
    """InfoNCE estimate of the mutual information of z_I and z_E, with a trained critic."""
    club: Weight = 0.0
    """CLUB, an upper bound of the mutual information of z_I and z_E, with a trained conditional."""
    hsic: Weight = 0.0
    """Normalised Hilbert-Schmidt independence criterion of z_I and z_E."""
    conditional_grl: Weight = 0.0
    """Domain adversary on z_I given the label, through a gradient reversal."""
    irm: Weight = 0.0
    """Invariant risk minimisation: squared gradient of each cell line's risk in a common scale of the logits."""
    vib: Weight = 0.0
    """Information bottleneck: z_I is drawn around its mean in training, and what it says of the sequences is priced."""
    dual_stream: bool = False
    """z_I and z_E in orthogonal subspaces by construction (M34)."""
    reach: Annotated[
        Literal["environment", "both"], ReadWhere({"routing": ["isolated"]}), ReadWhere(_reaching)
    ] = "environment"
    """Whether orthogonal, pearson, infonce, club and hsic may reach the sequence side too, as soft
    constraints on z_I."""


def decouple_weight(key: str, description: str) -> None:
    """Add the weight of a further method under `decouple`, 0 by default."""
    DecoupleBlock.extend(key, Weight, 0.0, description)
