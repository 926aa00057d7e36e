"""Weights of a part of a loss term, as the prior of the speculation penalty: 0 has to leave that part out."""

from collections.abc import Iterator
from typing import Any

from harness.audit.finding import MechanismFinding
from harness.audit.settings import changed, value_at
from harness.audit.twins import Twins
from harness.config.blocks.loss import Weighing
from models.losses.term import LossTerm

CLOSE = 1e-4
"""Largest difference of a term's value from what its parts sum to, relative to 1 + these."""


def strange_part_weights(twins: Twins) -> list[MechanismFinding]:
    """A finding on each term whose value on a step is not linear in the weight of one of its parts: with v(w) the value at
    weight w, v(2) - v(1) is v(1) - v(0). A term that waits for its state is asked by its keys alone."""
    said = []
    for term in twins.terms.values():
        for path in _part_weights(twins, term) if type(term).awake is LossTerm.awake else ():
            none, one, two = (_value(twins, term.key, path, weight) for weight in (0.0, 1.0, 2.0))
            gap = abs((two - one) - (one - none))
            if gap > CLOSE * (1 + abs(none) + abs(one) + abs(two)):
                text = (
                    f"{path} weighs a part of the loss term {term.key}, whose value at 0, 1 and 2 is {none:.4g}, {one:.4g} "
                    f"and {two:.4g}: 0 does not leave the part out, or it is not its weight"
                )
                said.append(MechanismFinding("-", path, "inert", text, "key"))
    return said


def _part_weights(twins: Twins, term: LossTerm) -> Iterator[str]:
    """Dotted paths of the weights in the term's block beside its own."""
    path, _, itself = term.weight.rpartition(".")
    if itself != "weight":
        return  # a block of the weights of several terms
    block: Any = value_at(twins.probe.config, path)
    for name, field in type(block).model_fields.items():
        if name != itself and any(isinstance(said, Weighing) for said in field.metadata):
            yield f"{path}.{name}"


def _value(twins: Twins, key: str, path: str, weight: float) -> float:
    """What the term of a trainer with that weight makes of the step that every twin takes."""
    trainer = twins.probe.behind(changed(twins.probe.summed, {path: weight}))
    term = next(term for term, _ in trainer.weighted if term.key == key)
    return float(term(twins.measured, trainer.states[key])[0].detach())
