"""Which keys act only beside others: a key that is given and that nothing would read is a mistake, not a setting."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from harness.config.blocks.environment_checks import prior_of
from harness.config.blocks.loss import OF_BOTH_SIDES
from harness.config.blocks.trial import TrialConfig


@dataclass(frozen=True)
class Condition:
    """`path` is read only where `holds`; `needs` says so in the words of the configuration."""

    path: str
    needs: str
    holds: Callable[[TrialConfig], bool]


def _weights(block: str, *keys: str) -> list[Condition]:
    def positive(config: TrialConfig) -> bool:
        return bool(getattr(config.loss, block).weight > 0)

    return [Condition(f"loss.{block}.{key}", f"loss.{block}.weight > 0", positive) for key in keys]


CONDITIONS: list[Condition] = [
    Condition("model.anchors", "model.encoder: cbat", lambda c: c.model.encoder == "cbat"),
    Condition("model.window", "model.encoder: cbat", lambda c: c.model.encoder == "cbat"),
    Condition("model.blocks", "model.encoder: cbat or cross_attention", lambda c: c.model.encoder != "cnn"),
    Condition(
        "model.heads",
        "model.encoder: cbat or cross_attention, or model.self_attention_layers > 0",
        lambda c: c.model.encoder != "cnn" or c.model.self_attention_layers > 0,
    ),
    Condition(
        "environment.rank", "environment.scope: sample", lambda c: _environment(c, "scope") == "sample"
    ),
    Condition(
        "environment.inducing", "environment.encoder: isab", lambda c: _environment(c, "encoder") == "isab"
    ),
    Condition(
        "decouple.reach",
        "routing: isolated and " + " or ".join(f"decouple.{key} > 0" for key in OF_BOTH_SIDES),
        lambda c: c.routing == "isolated" and bool(c.decouple.acting(*OF_BOTH_SIDES)),
    ),
    Condition(
        "environment.teacher.momentum", "environment.teacher.kind: ema", lambda c: _teacher(c) == "ema"
    ),
    Condition(
        "environment.fusion.alpha", "a Teacher (environment.teacher.kind)", lambda c: _teacher(c) != "none"
    ),
    *[
        Condition(
            f"environment.graph.{key}",
            "environment.graph.kind: gcn or random_walk",
            lambda c: _graph(c) != "none",
        )
        for key in ("prototypes", "neighbours", "map", "relations")
    ],
    Condition(
        "environment.graph.restart",
        "environment.graph.kind: random_walk",
        lambda c: _graph(c) == "random_walk",
    ),
    *[
        Condition(
            f"environment.prior.{key}",
            "loss.gp_prior.weight > 0 or environment.prior.extrapolate: posterior",
            lambda c: prior_of(c) is not None,
        )
        for key in ("over", "lengthscale", "variance", "noise")
    ],
    *_weights("ranking", "surrogate", "tau", "max_pairs"),
    *_weights("speculation", "margin", "prior"),
    *_weights("contrastive", "tau", "bank", "relations"),
    *_weights("prototypes", "kind", "momentum", "tau", "radius"),
    *_weights("competition", "scope", "baseline", "pull", "push", "momentum", "margin", "warmup", "folds"),
    Condition("loss.competition.margin", "loss.competition.push > 0", lambda c: c.loss.competition.push > 0),
    *_weights("calibration", "mean", "variance_low", "variance_high"),
    Condition(
        "loss.ranking.max_pairs",
        "loss.ranking.surrogate: pairwise",
        lambda c: c.loss.ranking.surrogate == "pairwise",
    ),
    Condition(
        "loss.prototypes.tau",
        "loss.prototypes.kind: contrastive",
        lambda c: c.loss.prototypes.kind == "contrastive",
    ),
    Condition(
        "loss.prototypes.radius", "loss.prototypes.kind: hinged", lambda c: c.loss.prototypes.kind == "hinged"
    ),
    Condition("support.draws", "an environment", lambda c: c.environment.source != "none"),
]


def unread(config: TrialConfig, given: Iterable[str]) -> dict[str, str]:
    """The given dotted paths that nothing reads in `config`, each with what it would need.

    A path that is given with its block switched off (a tau beside weight 0, a rank at cell scope) is listed; paths
    that are not known here are somebody else's business.
    """
    wanted = set(given)
    return {
        condition.path: condition.needs
        for condition in CONDITIONS
        if condition.path in wanted and not condition.holds(config)
    }


def _environment(config: TrialConfig, key: str) -> Any:
    return getattr(config.environment, key, None)


def _teacher(config: TrialConfig) -> str:
    block = _environment(config, "teacher")
    return "none" if block is None else str(block.kind)


def _graph(config: TrialConfig) -> str:
    block = _environment(config, "graph")
    return "none" if block is None else str(block.kind)
