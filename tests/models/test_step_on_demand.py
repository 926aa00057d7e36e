"""What a step makes when a loss term asks for it: once, not before, and a sentence where it cannot be had."""

from typing import Any

import pytest
import torch

from models.episode import ATTRIBUTES, LACKING, Step
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


def test_a_reader_sees_the_values_that_it_declares() -> None:
    made: list[str] = []
    step = make_step(kl=None, owner=torch.zeros(4, 6, dtype=torch.long))

    def kl() -> torch.Tensor:
        made.append("kl")
        return step.u.abs()

    whole = Step(**{**vars(step), "makers": {"kl": kl}})
    shown = whole.shown_to("loss term mine", {"logit", "kl", "z_e", "owner"})
    assert shown.logit is whole.logit
    assert shown.owner is whole.owner
    assert shown.kl is shown.kl is whole.kl
    assert made == ["kl"], "made once, for whoever asks"
    assert torch.equal(shown.z_e_of_queries(), whole.z_e_of_queries())


@pytest.mark.parametrize("name", sorted(ATTRIBUTES - {"logit"}))
def test_an_undeclared_read_names_reader_and_attribute(name: str) -> None:
    shown = make_step().shown_to("loss term mine", {"logit"})
    with pytest.raises(
        ValueError, match=rf"^loss term mine reads {name} of a step, and declares to read logit$"
    ):
        getattr(shown, name)


def test_a_method_reads_what_it_is_made_of() -> None:
    with pytest.raises(ValueError, match="reads z_e of a step"):
        make_step().shown_to("loss term mine", {"z_i"}).z_e_of_queries()
    with pytest.raises(AttributeError, match="a step has no attribute 'colour'"):
        _ = make_step().shown_to("loss term mine", {"z_i"}).colour  # type: ignore[attr-defined]
