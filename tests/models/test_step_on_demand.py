"""What a step makes when a loss term asks for it: once, not before, and a sentence where it cannot be had."""

from typing import Any

import pytest
import torch

from models.episode import LACKING, Step
from tests.models.steps import make_step


def bare() -> Step:
    """A step without anything that can be left out."""
    given: dict[str, Any] = {**dict.fromkeys(LACKING), "r_heard": torch.zeros(4), "energy_of": lambda r: r}
    return make_step(**given)


def test_it_is_made_once_and_only_when_asked_for() -> None:
    made: list[str] = []

    def maker(name: str) -> torch.Tensor:
        made.append(name)
        return torch.full((4, 6), 2.0)

    values = {**vars(bare()), "makers": {name: lambda name=name: maker(name) for name in ("kl", "v")}}
    step = Step(**values)
    assert made == []
    assert step.kl is step.kl
    assert made == ["kl"]


def test_a_value_is_taken_before_a_maker_and_copies_keep_both() -> None:
    step = Step(
        **{
            **vars(bare()),
            "v": torch.ones(4, 2),
            "makers": {"v": lambda: None, "kl": lambda: torch.ones(4, 6)},
        }
    )
    assert torch.equal(step.v, torch.ones(4, 2))
    copy = Step(**{**vars(step), "u": step.u + 1})
    assert torch.equal(copy.v, step.v)
    assert torch.equal(copy.kl, torch.ones(4, 6))
    assert torch.equal(copy.u, step.u + 1)


@pytest.mark.parametrize("name", sorted(set(LACKING) - {"r_heard", "energy_of"}))
def test_what_cannot_be_had_says_what_it_needs(name: str) -> None:
    with pytest.raises(ValueError, match=f"this step has no {name}: that needs ") as error:
        getattr(bare(), name)
    assert LACKING[name] in str(error.value)


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'kls'"):
        getattr(bare(), "kl" + "s")
