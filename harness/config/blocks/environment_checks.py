"""What an environment side is configured for and could not do: sentences that a configuration is refused with."""

from collections.abc import Collection, Iterator, Sequence

from harness.config.blocks.environment import (
    EncodedEnvironmentBlock,
    EnvironmentBlock,
    PriorBlock,
    PriorEnvironmentBlock,
    RelationBlock,
    SupportEnvironmentBlock,
)
from harness.config.blocks.loss import LossBlock
from harness.config.blocks.model import EnergyBlock, TemperatureBlock
from harness.config.blocks.needs import mixed_support
from harness.config.blocks.training import EpisodeBlock


def prior_of(environment: EnvironmentBlock, loss: LossBlock) -> PriorBlock | None:
    """The Gaussian-process prior where it is built: as a loss term or for extrapolation; None elsewhere."""
    if not isinstance(environment, PriorEnvironmentBlock):
        return None
    built = loss.gp_prior.weight > 0 or environment.prior.extrapolate != "own"
    return environment.prior if built else None


def reads_features(environment: EnvironmentBlock, loss: LossBlock) -> str | None:
    """The key that makes a configuration read v_c, or None where nothing does."""
    if environment.source == "features":
        return "environment.source: features"
    prior = prior_of(environment, loss)
    return "environment.prior.over: features" if prior is not None and prior.over == "features" else None


def source_faults(
    environment: EnvironmentBlock, energy: EnergyBlock, temperature: TemperatureBlock, terms: Sequence[str]
) -> Iterator[str]:
    """What reads R_E or z_E where the environment gives none; `terms` are further keys that do."""
    if isinstance(environment, EncodedEnvironmentBlock):
        return
    needs = {
        f"energy.form: {energy.form}": energy.needs_environment,
        f"temperature.mode: {temperature.mode}": temperature.needs_environment,
        **dict.fromkeys(terms, True),
    }
    asked = [key for key, wanted in needs.items() if wanted]
    if asked:
        yield (
            f"environment.source: {environment.source} has no R_E and no z_E, which {', '.join(asked)} needs"
        )


def scope_faults(environment: EnvironmentBlock, energy: EnergyBlock) -> Iterator[str]:
    """A form of the energy without R_E(x, c) at sample scope."""
    if (
        energy.cell_scope_only
        and isinstance(environment, EncodedEnvironmentBlock)
        and environment.scope != "cell"
    ):
        yield (
            f"energy.form: {energy.form} has no R_E(x, c), {energy.cell_scope_only}; it needs environment.scope: cell"
        )


def extrapolation_faults(environment: EnvironmentBlock, episode: EpisodeBlock) -> Iterator[str]:
    """A posterior over cell lines whose support sets are of several."""
    mixed = mixed_support(environment, episode)
    if (
        mixed
        and isinstance(environment, PriorEnvironmentBlock)
        and environment.prior.extrapolate == "posterior"
    ):
        yield f"environment.prior.extrapolate: posterior {mixed}"


def graph_faults(environment: EnvironmentBlock) -> Iterator[str]:
    """A prototype graph that nobody reads, or that is read and not there."""
    if not isinstance(environment, SupportEnvironmentBlock):
        return
    graph, teacher = environment.graph, environment.teacher.kind
    yield from relation_faults("environment.graph.relations", graph.relations)
    if graph.kind == "none" and graph.map != "none":
        yield "environment.graph.map: attention needs a graph: set environment.graph.kind to gcn or random_walk"
    if graph.kind != "none" and graph.map == "none" and teacher != "gradient":
        yield (
            f"environment.graph.kind: {graph.kind} is read by nobody: it needs environment.teacher.kind: gradient "
            "or environment.graph.map: attention"
        )


def relation_faults(path: str, rows: Sequence[RelationBlock]) -> Iterator[str]:
    """Two rows of a table of relations that give one pair of cell lines, in either order, two weights."""
    first: dict[frozenset[str], int] = {}
    for number, row in enumerate(rows):
        earlier = first.setdefault(frozenset((row.a, row.b)), number)
        if rows[earlier].weight != row.weight:
            yield (
                f"{path} relates {row.a} and {row.b} twice, with weight {rows[earlier].weight:g} (row {earlier + 1}) and "
                f"{row.weight:g} (row {number + 1}): expected one weight per pair"
            )


def teacher_faults(
    environment: EnvironmentBlock, episode: EpisodeBlock, needed: Collection[str]
) -> Iterator[str]:
    """A Teacher that cannot learn or that nothing is taught by, and names that are hidden from nobody; `needed` is what
    the loss terms need."""
    teacher = environment.teacher.kind if isinstance(environment, SupportEnvironmentBlock) else "none"
    taught, hidden = "teacher" in needed, episode.pseudo_unseen > 0
    if not isinstance(environment, SupportEnvironmentBlock) or teacher == "none":
        if hidden and "hidden_names" not in needed:
            yield (
                "episode.pseudo_unseen hides a name from the Teacher, and there is none: set environment.teacher.kind"
            )
        return
    alpha = environment.fusion.alpha
    if alpha == 0 and teacher == "gradient":
        yield (
            "environment.fusion.alpha: 0 leaves a Teacher by gradient without any gradient: it would stay as initialised"
        )
    if alpha == 0 and not taught:
        yield (
            "environment.fusion.alpha: 0 without loss.distillation.weight leaves the Teacher without any effect"
        )
    if alpha == 1 and not taught and not hidden:
        yield (
            "environment.fusion.alpha: 1 leaves the Student, which answers for unseen cell lines, without a gradient: "
            "give loss.distillation.weight or episode.pseudo_unseen, or lower alpha"
        )
