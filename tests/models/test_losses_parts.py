"""The plain scalar of each objective: the gradient of a term is that of its scalars, up or down as the definitions say."""

import pytest
import torch
from torch import Tensor

from models.losses import LOSSES
from models.losses.decoupling import Decoupling, Orthogonal, Pearson
from models.losses.registry import LossRegistry
from models.losses.task import BinaryCrossEntropy
from models.losses.term import LossTerm
from models.stopped import Held, stopped, surrogate
from tests.definitions_table import DEFINITIONS
from tests.models.rows import build_row
from tests.models.steps import make_step
from tests.models.test_definitions_table import acting

SIDE = {
    **dict.fromkeys(("u", "z_i", "kl", "channel_norm"), "S"),
    **dict.fromkeys(("z_e", "r", "r_student", "r_heard", "log_prior", "v_decoded"), "E"),
    "temperature": "G",
    "logit": "SETG",
}
"""What of a step a gradient can go to -> the groups of parameters that it comes from."""
VARIANTS = [
    *((key, {}) for key in DEFINITIONS),
    ("ranking_pairwise", {"max_pairs": 4096}),
    ("competition", {"scope": "batch", "task": "bce"}),
    ("contrastive", {"relations": torch.rand(4, 4, generator=torch.Generator().manual_seed(0))}),
]


@pytest.mark.parametrize(("key", "arguments"), VARIANTS)
def test_a_gradient_is_that_of_the_plain_scalars(key: str, arguments: dict[str, object]) -> None:
    term, state, step = acting(key, **arguments)
    leaves = {name: getattr(step, name).requires_grad_() for name in SIDE}
    leaves |= {f"A.{name}": parameter for name, parameter in term.named_parameters()}

    def gradients(scalar: Tensor) -> list[Tensor]:
        if not scalar.requires_grad:
            return [torch.zeros_like(leaf) for leaf in leaves.values()]
        return list(
            torch.autograd.grad(
                scalar, [*leaves.values()], retain_graph=True, allow_unused=True, materialize_grads=True
            )
        )

    routed = dict(zip(leaves, gradients(term(step, state)[0]), strict=True))
    named: dict[tuple[str, str, str], str] = {
        (groups, *what): part for (part, groups), what in term.objectives.items()
    }
    scalars = term.parts(step, state)
    assert set(scalars) == set(named.values())
    expected = {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
    moved = set()
    for groups, what, direction in DEFINITIONS[key].objectives:
        plain = gradients(scalars[named[groups, what, direction]])
        for (name, total), gradient in zip(expected.items(), plain, strict=True):
            if set(SIDE.get(name, "A")) & set(groups):
                expected[name] = total + (gradient if direction == "down" else -gradient)
                moved |= {name} if bool(gradient.any()) else set()
    assert moved, "no scalar depends on anything"
    for name in leaves:
        torch.testing.assert_close(routed[name], expected[name], rtol=1e-6, atol=1e-9, msg=name)


def test_a_scalar_of_nothing_is_zero() -> None:
    step = make_step(cell=torch.full((4,), -1), label=torch.zeros(4, 6, dtype=torch.float64))
    for key in (
        "contrastive",
        "prototypes_pull",
        "irm",
        "ranking_pairwise",
        "ranking_smooth_ap",
        "competition",
    ):
        term = build_row(key)
        assert {float(scalar) for scalar in term.parts(step, term.initial_state()).values()} == {0.0}, key


def test_a_term_without_parts_has_its_value_or_a_sentence() -> None:
    class Mine(BinaryCrossEntropy):
        parts = LossTerm.parts

    step = make_step()
    assert torch.equal(Mine().parts(step, {})["value"], Mine()(step, {})[0])
    Mine.objectives = {("rise", "SETG"): ("one", "up"), ("fall", "S"): ("another", "down")}
    enter = LossRegistry("loss term", LossTerm).register
    texts = {"id": "M99", "name": "mine", "equation": "l", "shapes": "l -> scalar", "source": "a test"}
    with pytest.raises(ValueError, match="declares 2 objectives and no `parts`"):
        enter("mine", **texts)(Mine)


def test_what_a_first_run_stopped_is_held_in_later_ones() -> None:
    held, x = Held(), torch.tensor(2.0)
    for value in (2.0, 5.0):
        with held.run():
            y = torch.tensor(value)
            assert float(y * stopped(y)) == value * 2.0
    parameter, of_parameter = torch.tensor([1.0]), Held()
    for _ in range(2):
        with of_parameter.run():
            assert float(stopped(parameter)) == 1.0, "it is held although the parameter is written in place"
        parameter += 1.0
    assert not stopped(x.requires_grad_()).requires_grad
    with held.run(), pytest.raises(RuntimeError, match="stops more gradients"):
        stopped(stopped(x))


def test_a_surrogate_has_one_value_and_another_slope() -> None:
    held = Held()
    values = []
    for x in (torch.tensor(0.3), torch.tensor(0.4)):
        with held.run():
            values.append(float(surrogate((x > 0).float(), 2 * x)))
    assert values == pytest.approx([1.0, 1.2])


def test_every_term_of_the_project_computes_its_scalars_itself() -> None:
    assert [key for key, cls in LOSSES.terms().items() if cls.parts is LossTerm.parts] == []


@pytest.mark.parametrize("cls", [Orthogonal, Pearson])
def test_a_decoupling_without_a_plain_form_has_its_own(cls: type[Decoupling]) -> None:
    source = torch.Generator().manual_seed(1)
    x, y = (torch.randn(12, width, generator=source, dtype=torch.float64) for width in (5, 3))
    x, y = x - x.mean(0), y - y.mean(0)
    term = build_row(cls.key)
    assert isinstance(term, Decoupling)
    torch.testing.assert_close(Decoupling.plain(term, x, y), term.plain(x, y), rtol=1e-9, atol=1e-12)
