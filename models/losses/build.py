"""From the configuration to the list of weighted loss terms."""

from collections.abc import Collection, Mapping
from typing import Any

from models.losses.permuted import permuted
from models.losses.registry import LOSSES
from models.losses.term import LossTerm, value_at
from models.sizes import Sizes


def weighted_classes(settings: Mapping[str, Any]) -> dict[str, tuple[type[LossTerm], float]]:
    """Key of a row -> its class and weight, of the terms whose weight in plain settings is above 0, in their order.

    Raises KeyError for settings that give a weight and choose none of the classes that share it (a task, surrogate or
    kind that is not registered).
    """
    classes = LOSSES.terms()
    weighted = {key: (cls, cls.weight_in(settings)) for key, cls in classes.items()}
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
    settings: Mapping[str, Any], sizes: Sizes, placebos: Collection[str] = ()
) -> list[tuple[LossTerm, float]]:
    """[(term, weight)] of a configuration, in their order: the task with weight 1, and every term with weight > 0.

    settings: a trial configuration as plain data. A weight of 0 means that the term is not built; the rows of
    `placebos` are built as those. Raises KeyError for a task, surrogate or kind that is not registered,
    TypeError for unknown settings, and ValueError for a placebo that there is not.
    """
    terms = []
    for key, (cls, weight) in weighted_classes(settings).items():
        arguments = cls.arguments(settings, sizes)
        made = permuted(cls)(**arguments) if key in placebos else LOSSES.build(key, **arguments)
        terms.append((made, weight))
    return terms
