"""A loss term that leaves a declaration out, or contradicts itself, cannot be registered."""

from typing import Any

import pytest
from torch import Tensor

from models.episode import Step
from models.losses.registry import LOSSES, LossRegistry
from models.losses.term import LossTerm, State

TEXTS = {"id": "M39", "name": "n", "equation": "e", "shapes": "u [E, Q] -> scalar", "source": "s"}
DECLARED: dict[str, Any] = {
    "key": "mine",
    "weight": "loss.mine.weight",
    "in_phase1": True,
    "ramps": True,
    "reads": frozenset({"u"}),
    "objectives": {("value", "S"): ("mean U_I", "down")},
    "needs": frozenset(),
    "reach": frozenset({"S"}),
}


def mean_potential(self: LossTerm, step: Step, state: State) -> tuple[Tensor, State]:
    return step.u.mean(), {}


def declaring(**changes: Any) -> type[LossTerm]:
    """A class with these declarations; None leaves one out."""
    body = {name: value for name, value in {**DECLARED, **changes}.items() if value is not None}
    return type("Mine", (LossTerm,), {**body, "forward": mean_potential, "__doc__": "mean U_I."})


def register(cls: type[LossTerm], key: str = "mine", registry: LossRegistry | None = None) -> LossRegistry:
    registry = registry or LossRegistry("loss term", LossTerm)
    registry.register(key, **TEXTS)(cls)
    return registry


def test_a_class_that_declares_everything_comes_last_by_default() -> None:
    registry = register(declaring())
    register(declaring(key="early", weight="loss.early.weight", order=3), "early", registry)
    assert list(registry.terms()) == ["early", "mine"]
    assert all(term.order < declaring().order for term in LOSSES.terms().values())


@pytest.mark.parametrize("name", DECLARED)
def test_what_a_class_does_not_declare_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^loss term 'mine' \(Mine\) does not declare {name}$"):
        register(declaring(**{name: None}))


def test_all_that_is_missing_is_named_together() -> None:
    with pytest.raises(ValueError, match=r"does not declare ramps, reads, needs$"):
        register(declaring(reads=None, ramps=None, needs=None))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reach": frozenset({"X"})}, "names the group X, and groups are S, E, T, G, A"),
        ({"reach": frozenset({"S", "G"})}, "declares to reach SG, and objectives over S"),
        ({"wider": {("loss.mine.both", True): frozenset({"E"})}}, "to reach SE, and objectives over S"),
        ({"objectives": {}}, "declares to reach S, and objectives over nothing"),
        ({"objectives": {("value", "S"): ("u", "sideways")}}, "'sideways', and directions are up and down"),
        ({"takes": ("height",)}, "takes the size height, and sizes are cell_lines, features, width"),
        ({"needs": frozenset({"luck"})}, "needs luck, and what a term can need is z_e, cell_lines"),
    ],
)
def test_declarations_that_contradict_each_other_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        register(declaring(**changes))


def test_classes_of_one_weight_are_told_apart_by_their_choice() -> None:
    registry = register(declaring(chosen={"loss.mine.kind": "a"}), "mine_a")
    register(declaring(chosen={"loss.mine.kind": "b"}), "mine_b", registry)
    for chosen in ({}, {"loss.mine.kind": "b"}, {"loss.mine.other": "c"}):
        with pytest.raises(ValueError, match=r"has the weight loss\.mine\.weight of 'mine_.', and `chosen`"):
            register(declaring(chosen=chosen), "mine_c", registry)
    with pytest.raises(ValueError, match="has the key mine of 'mine_a', whose weight is another one"):
        register(declaring(weight="loss.other"), "other", registry)
