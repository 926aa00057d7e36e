"""What an environment side is configured for and could not do: sentences that a configuration is refused with."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.config.blocks.environment import FeatureEnvironment, PriorBlock, Relation, SupportEnvironment

if TYPE_CHECKING:
    from harness.config.blocks.trial import TrialConfig


def prior_of(config: "TrialConfig") -> PriorBlock | None:
    """The Gaussian-process prior where it is built: as a loss term or for extrapolation; None elsewhere."""
    block: PriorBlock | None = getattr(config.environment, "prior", None)
    if block is None or (config.loss.gp_prior.weight == 0 and block.extrapolate == "own"):
        return None
    return block


def reads_features(config: "TrialConfig") -> str | None:
    """The key that makes the configuration read v_c, or None where nothing does."""
    if config.environment.source == "features":
        return "environment.source: features"
    prior = prior_of(config)
    return "environment.prior.over: features" if prior is not None and prior.over == "features" else None


def environment_faults(config: "TrialConfig") -> Iterator[str]:
    """One sentence per mechanism of the environment side that is switched on and could not act."""
    environment = config.environment
    if config.loss.reconstruction.weight > 0 and not isinstance(environment, FeatureEnvironment):
        yield (
            "loss.reconstruction.weight decodes z_E into v_c and needs environment.source: features, "
            f"which is {environment.source}"
        )
    if config.loss.gp_prior.weight > 0 and not hasattr(environment, "prior"):
        yield (
            "loss.gp_prior.weight needs environment.source: support or features, whose R_E the prior is over; it is "
            f"{environment.source}"
        )
    yield from _teacher_faults(config)
    yield from _mixture_faults(config)
    yield from _relation_faults("loss.contrastive.relations", config.loss.contrastive.relations)
    if isinstance(environment, SupportEnvironment):
        graph, teacher = environment.graph, environment.teacher.kind
        yield from _relation_faults("environment.graph.relations", graph.relations)
        if graph.kind == "none" and graph.map != "none":
            yield "environment.graph.map: attention needs a graph: set environment.graph.kind to gcn or random_walk"
        if graph.kind != "none" and graph.map == "none" and teacher != "gradient":
            yield (
                f"environment.graph.kind: {graph.kind} is read by nobody: it needs environment.teacher.kind: gradient "
                "or environment.graph.map: attention"
            )


def _relation_faults(path: str, rows: Sequence[Relation]) -> Iterator[str]:
    """Two rows of a table of relations that give one pair of cell lines, in either order, two weights."""
    first: dict[frozenset[str], int] = {}
    for number, row in enumerate(rows):
        earlier = first.setdefault(frozenset((row.a, row.b)), number)
        if rows[earlier].weight != row.weight:
            yield (
                f"{path} relates {row.a} and {row.b} twice, with weight {rows[earlier].weight:g} (row {earlier + 1}) and "
                f"{row.weight:g} (row {number + 1}): expected one weight per pair"
            )


def _mixture_faults(config: "TrialConfig") -> Iterator[str]:
    """What compares cell lines by the Student's z_E, in episodes whose support set is of no cell line."""
    sampler = config.episode.sampler
    if sampler == "cell_batch" or not isinstance(config.environment, SupportEnvironment):
        return
    asked = {
        f"loss.{name}.weight": getattr(config.loss, name).weight > 0
        for name in ("contrastive", "prototypes", "competition", "gp_prior")
    }
    asked["environment.prior.extrapolate: posterior"] = config.environment.prior.extrapolate == "posterior"
    for key in (key for key, wanted in asked.items() if wanted):
        yield (
            f"{key} compares the environments of cell lines, and a support set of episode.sampler: {sampler} is a mixture "
            "of cell lines: set episode.sampler to cell_batch, or environment.source to features or id"
        )


def _teacher_faults(config: "TrialConfig") -> Iterator[str]:
    environment = config.environment
    teacher = environment.teacher.kind if isinstance(environment, SupportEnvironment) else "none"
    distilled, hidden = config.loss.distillation.weight > 0, config.episode.pseudo_unseen > 0
    if teacher == "none":
        if distilled:
            yield "loss.distillation.weight needs a Teacher: set environment.teacher.kind to gradient or ema"
        if hidden and config.loss.competition.weight == 0:
            yield (
                "episode.pseudo_unseen hides a name from the Teacher, and there is none: set environment.teacher.kind"
            )
        return
    assert isinstance(environment, SupportEnvironment)
    alpha = environment.fusion.alpha
    if alpha == 0 and teacher == "gradient":
        yield (
            "environment.fusion.alpha: 0 leaves a Teacher by gradient without any gradient: it would stay as initialised"
        )
    if alpha == 0 and not distilled:
        yield (
            "environment.fusion.alpha: 0 without loss.distillation.weight leaves the Teacher without any effect"
        )
    if alpha == 1 and not distilled and not hidden:
        yield (
            "environment.fusion.alpha: 1 leaves the Student, which answers for unseen cell lines, without a gradient: "
            "give loss.distillation.weight or episode.pseudo_unseen, or lower alpha"
        )
