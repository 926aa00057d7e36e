"""What loss terms need of the rest of a configuration, as they declare it: a sentence per need that is not met."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, cast

from analysis.errors import nearest
from harness.config.blocks.environment import (
    EnvironmentBlock,
    FeatureEnvironmentBlock,
    PriorEnvironmentBlock,
    SupportEnvironmentBlock,
)
from harness.config.blocks.training import EpisodeBlock, samplers
from models.environment.base import ENVIRONMENTS
from models.losses import LOSSES, LossTerm

CELL_LINES = 4
"""Cell lines in a step that a comparison of them needs at least."""


def switched_on(settings: Mapping[str, Any]) -> list[type[LossTerm]]:
    """Classes of the loss terms whose weight is above 0 in plain settings, the task among them."""
    classes = [cast(type[LossTerm], row.cls) for row in LOSSES]
    return [cls for cls in classes if cls.weight_in(settings) > 0]


def beside_the_task(terms: Collection[type[LossTerm]]) -> list[type[LossTerm]]:
    """Those of the loss terms that are no task."""
    return [term for term in terms if term.weight != "loss.task"]


def term_faults(
    terms: Collection[type[LossTerm]], environment: EnvironmentBlock, episode: EpisodeBlock
) -> Iterator[str]:
    """One sentence per term and per thing that it needs and does not have; z_E is asked for together with others
    (`source_faults`)."""
    for term in terms:
        for need, lacks in NEEDS.items():
            lack = lacks(environment, episode) if need in term.needs else ""
            if lack:
                yield f"{term.weight} {lack}"


def placebo_faults(
    names: Collection[str], terms: Collection[type[LossTerm]], environment: EnvironmentBlock
) -> Iterator[str]:
    """Mechanisms whose input is to be permuted and that are not there, or have none to permute."""
    classes = {row.key: cast(type[LossTerm], row.cls) for row in LOSSES if row.cls.permutes}
    sources = [row.key for row in ENVIRONMENTS if row.cls.permutes]
    able = [*classes, *sources]
    for name in names:
        if name not in able:
            yield f"permuted: '{name}' is no mechanism with a placebo ({', '.join(able)}){nearest(name, able)}"
        elif name in sources and environment.source != name:
            yield f"permuted: {name} is not there to be permuted: environment.source is {environment.source}"
        elif name in classes and classes[name] not in terms:
            yield f"permuted: {name} is not there to be permuted: {classes[name].weight} is 0, or another one is chosen"
    if len(set(names)) < len(names):
        yield f"permuted names a mechanism twice: {', '.join(names)}"


def _cell_lines(environment: EnvironmentBlock, episode: EpisodeBlock) -> str:
    if episode.per_step >= CELL_LINES:
        return ""
    return f"needs episodes of at least {CELL_LINES} cell lines in a step, and episode.per_step is {episode.per_step}"


def _student(environment: EnvironmentBlock, episode: EpisodeBlock) -> str:
    if isinstance(environment, SupportEnvironmentBlock):
        return ""
    return f"needs a Student (environment.source: support), and environment.source is {environment.source}"


def _teacher(environment: EnvironmentBlock, episode: EpisodeBlock) -> str:
    there = isinstance(environment, SupportEnvironmentBlock) and environment.teacher.kind != "none"
    return "" if there else "needs a Teacher: set environment.teacher.kind to gradient or ema"


def _hidden_names(environment: EnvironmentBlock, episode: EpisodeBlock) -> str:
    if episode.pseudo_unseen > 0:
        return ""
    return (
        "needs episode.pseudo_unseen above 0: whether an advantage is a shortcut shows only where a cell line's name is "
        "hidden"
    )


def _features(environment: EnvironmentBlock, episode: EpisodeBlock) -> str:
    if isinstance(environment, FeatureEnvironmentBlock):
        return ""
    return f"needs environment.source: features, whose v_c it is about; it is {environment.source}"


def _prior(environment: EnvironmentBlock, episode: EpisodeBlock) -> str:
    if isinstance(environment, PriorEnvironmentBlock):
        return ""
    return (
        "needs environment.source: support or features, whose R_E the prior is over; it is "
        f"{environment.source}"
    )


def mixed_support(environment: EnvironmentBlock, episode: EpisodeBlock) -> str:
    """Why what compares the environments of cell lines has none to compare, where support sets are of several."""
    if not samplers()[episode.sampler].mixes or not isinstance(environment, SupportEnvironmentBlock):
        return ""
    return (
        "compares the environments of cell lines, and a support set of episode.sampler: "
        f"{episode.sampler} is a mixture of cell lines: set episode.sampler to cell_batch, or environment.source to "
        "features or id"
    )


NEEDS: dict[str, Callable[[EnvironmentBlock, EpisodeBlock], str]] = {
    "cell_lines": _cell_lines,
    "student": _student,
    "teacher": _teacher,
    "hidden_names": _hidden_names,
    "features": _features,
    "prior": _prior,
    "single_line_support": mixed_support,
}
"""Name of a need that a loss term may declare, z_e apart -> what is wrong where it is not met; empty where it is."""
