"""What the loss terms declare is what the definitions say, and what they declare is what they do."""

from typing import Any

import pytest
import torch

from models.episode import Step
from models.losses import LOSSES, LossTerm
from tests.definitions_table import DEFINITIONS
from tests.models.rows import build_row
from tests.models.steps import make_step

TERMS = LOSSES.terms()
FULLEST = {"competition": {"baseline": "teacher"}}
"""Settings beside the least ones under which a term reads everything that it ever reads."""


GIVEN = {"label", "taught", "pseudo_unseen", "v", "shallow", "channel_size"}
"""What of a step no parameter has a part in."""


class RecordingStep:
    """A step that remembers which of its attributes were asked for; z_E by query pair is z_E."""

    def __init__(self, step: Step) -> None:
        self._step, self.read = step, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name.removesuffix("_of_queries"))
        return getattr(self._step, name)


def acting(key: str, **arguments: Any) -> tuple[LossTerm, dict[str, torch.Tensor], Step]:
    """A term, a state in which all of its parts act, and a step that its hinges do not let pass."""
    term = build_row(key, **arguments)
    _, state = term(make_step(seed=1), term.initial_state())
    warm = torch.full((4, 1), 1.5, dtype=torch.float64)
    return term, term.awake(state), make_step(seed=2, u=5 * make_step(seed=2).u, temperature=warm)


def test_every_registered_term_is_in_the_table() -> None:
    assert set(TERMS) == set(DEFINITIONS)


@pytest.mark.parametrize("key", DEFINITIONS)
def test_a_term_declares_what_the_definitions_say(key: str) -> None:
    term, definition = TERMS[key], DEFINITIONS[key]
    assert term.reach == set(definition.reach) <= set(definition.may)
    assert frozenset().union(*term.wider.values()) == set(definition.light)
    assert term.reads == set(definition.reads.split())
    declared = {(groups, *objective) for (_, groups), objective in term.objectives.items()}
    assert declared == definition.objectives
    assert len(term.objectives) == len(declared)
    assert term.acts == {"training"}, "no term is there in a prediction"
    assert term.in_phase1 == definition.phase1
    assert term.ramps == (key not in ("immax", "bce")), "the task has its weight from the start"


@pytest.mark.parametrize("key", DEFINITIONS)
def test_a_term_reads_exactly_what_it_declares(key: str) -> None:
    term, state, step = acting(key, **FULLEST.get(key, {}))
    recording = RecordingStep(step)
    term(recording, state)
    assert recording.read == TERMS[key].reads


@pytest.mark.parametrize("key", DEFINITIONS)
def test_a_gradient_moves_exactly_what_a_term_acts_on(key: str) -> None:
    term, state, step = acting(key)
    tensors = {name: value for name, value in vars(step).items() if isinstance(value, torch.Tensor)}
    made = {name for name, value in tensors.items() if value.is_floating_point()} - GIVEN
    leaves = {name: tensors[name].requires_grad_() for name in sorted(made)}
    gradients = torch.autograd.grad(term(step, state)[0], list(leaves.values()), allow_unused=True)
    moved = {
        name for name, g in zip(leaves, gradients, strict=True) if g is not None and bool(g.abs().sum() > 0)
    }
    assert moved == set(DEFINITIONS[key].moves.split())


def test_an_undeclared_read_would_be_noticed() -> None:
    recording = RecordingStep(make_step())
    assert recording.z_e_of_queries().shape == (4, 6, 3)
    assert recording.logit.shape == (4, 6)
    assert recording.read == {"z_e", "logit"} != TERMS["orthogonal"].reads
