"""From the configuration to the list of weighted loss terms."""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from models.losses.permuted import permuted
from models.losses.registry import LOSSES
from models.losses.term import LossTerm, value_at
from models.sizes import Sizes

OF_SEQUENCE = frozenset(
    {"u", "z_i", "kl", "logit", "label", "query_cell", "seed", "index", "channel_norm", "channel_size"}
)
"""Attributes of a step that the sequence side and the batch alone decide in phase 1, where the logit is U_I."""


def weighted_classes(
    settings: Mapping[str, Any], early: Mapping[str, Any] | None = None
) -> dict[str, tuple[type[LossTerm], float]]:
    """Key of a row -> its class and weight, of the terms whose weight in plain settings is above 0, in their order.
    early: the same settings for the terms that train in phase 1, where somebody notes what is read of them.

    Raises KeyError for settings that give a weight and choose none of the classes that share it (a task, surrogate or
    kind that is not registered).
    """
    classes = LOSSES.terms()
    weighted = {key: (cls, cls.weight_in(_of(cls, settings, early))) for key, cls in classes.items()}
    switched = {key: pair for key, pair in weighted.items() if pair[1] > 0}
    built = {cls.weight for cls, _ in switched.values()}
    for cls in classes.values():
        if cls.weight not in built and value_at(settings, cls.weight):
            values = ", ".join(f"{path}: {value_at(settings, path)}" for path in cls.chosen)
            known = [
                str(part) for c in classes.values() if c.weight == cls.weight for part in c.chosen.values()
            ]
            raise KeyError(f"{values} chooses no loss term; expected one of {', '.join(known)}")
    return switched


def build_terms(
    settings: Mapping[str, Any],
    sizes: Sizes,
    placebos: Collection[str] = (),
    early: Mapping[str, Any] | None = None,
) -> list[tuple[LossTerm, float]]:
    """[(term, weight)] of a configuration, in their order: the task with weight 1, and every term with weight > 0.

    settings: a trial configuration as plain data. A weight of 0 means that the term is not built; the rows of
    `placebos` are built as those. early: as in `weighted_classes`; it names the placebos of its terms as `permuted`.
    Raises KeyError for a task, surrogate or kind that is not registered, TypeError for unknown settings, and ValueError
    for a placebo that there is not.
    """
    terms = []
    for key, (cls, weight) in weighted_classes(settings, early).items():
        arguments = cls.arguments(_of(cls, settings, early), sizes)
        permutes = key in (early["permuted"] if early is not None and cls.in_phase1 else placebos)
        made = permuted(cls)(**arguments) if permutes else LOSSES.build(key, **arguments)
        terms.append((made, weight))
    return terms


def _of(
    cls: type[LossTerm], settings: Mapping[str, Any], early: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    return early if early is not None and cls.in_phase1 else settings


def sequence_alone(settings: Mapping[str, Any], sizes: Sizes) -> bool:
    """Whether the terms that train in phase 1 see nothing there but the sequence side: by what they read of a step, and by
    their arguments, which are then the same beside an environment of other sizes."""
    others = sizes._replace(
        width=sizes.width + 1,
        inputs=sizes.inputs + 1,
        relations=None if sizes.relations is not None else torch.zeros(1, 1),
        statistics=sizes.statistics + 1,
        nonnegative=not sizes.nonnegative,
    )
    for cls, _ in weighted_classes(settings).values():
        if cls.in_phase1:
            here, there = cls.arguments(settings, sizes), cls.arguments(settings, others)
            plain = not any(isinstance(value, Tensor) for value in (*here.values(), *there.values()))
            if not (cls.reads <= OF_SEQUENCE and plain and here == there):
                return False
    return True
