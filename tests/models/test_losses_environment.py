"""Terms on z_E: InfoNCE with its bank, the ring below it, and the three kinds of prototypes."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from models.losses import LOSSES
from models.losses.bank import write_ring
from tests.models.steps import make_step
from tests.typed import grad

COUNTS = {"counted": torch.zeros(()), "forced": torch.zeros(())}
"""What prototypes count, before the first step."""


def test_contrastive_against_a_slow_reference() -> None:
    z_e = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cell = torch.tensor([0, 1, 0, 2, 1])
    term = LOSSES.build("contrastive", width=3, tau=0.3, bank=0)
    value, _ = term(make_step(z_e=z_e, cell=cell), term.initial_state())
    z = normalize(z_e, dim=1)
    losses = []
    for i in range(5):
        s = {j: math.exp(float(z[i] @ z[j]) / 0.3) for j in range(5) if j != i}
        positives = [j for j in s if cell[j] == cell[i]]
        if positives:
            losses.append(-sum(math.log(s[p] / sum(s.values())) for p in positives) / len(positives))
    assert len(losses) == 4
    assert value.item() == pytest.approx(sum(losses) / 4, rel=1e-9)


def test_bank_gives_single_cell_steps_their_cross_cell_negatives() -> None:
    term = LOSSES.build("contrastive", width=2, tau=0.5, bank=8)
    other = make_step(z_e=torch.tensor([[1.0, 0.0]] * 4), cell=torch.ones(4, dtype=torch.long))
    z_e = torch.tensor([[1.0, 1.0]] * 4, dtype=torch.float64, requires_grad=True)
    single = make_step(z_e=z_e, cell=torch.zeros(4, dtype=torch.long))
    _, filled = term(other, term.initial_state())
    with_bank, _ = term(single, filled)
    without, _ = term(single, term.initial_state())
    # Three positives at cosine 1 and four negatives at cosine 1/sqrt(2), both over tau.
    negatives = 4 * math.exp(math.sqrt(0.5) / 0.5)
    assert with_bank.item() == pytest.approx(math.log(3 + negatives / math.exp(2)), rel=1e-6)
    assert without.item() == pytest.approx(math.log(3), rel=1e-6)
    assert torch.autograd.grad(without, z_e)[0].abs().max() < 1e-12, (
        "equal rows of one cell line alone: no force"
    )
    away = -torch.autograd.grad(with_bank, z_e)[0]
    assert (away[:, 0] < -1e-3).all(), "away from the other cell line's row"
    assert (away[:, 1] > 1e-3).all(), "away from the other cell line's row"


def test_bank_gives_positives_from_earlier_steps() -> None:
    term = LOSSES.build("contrastive", width=3, bank=8)
    first, second = make_step(seed=1), make_step(seed=2)
    value, state = term(first, term.initial_state())
    assert value.item() == 0.0, "four different cell lines and an empty bank hold no positive"
    assert term(second, state)[0].item() > 0


def test_contrastive_is_low_for_separated_cell_lines() -> None:
    term = LOSSES.build("contrastive", width=2, tau=0.1, bank=0)
    cell = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    assert term(make_step(z_e=apart, cell=cell), term.initial_state())[0].item() < 1e-6
    assert term(make_step(z_e=torch.ones(4, 2), cell=cell), term.initial_state())[0].item() == pytest.approx(
        math.log(3)
    )


def test_episodes_of_no_training_cell_line_do_not_take_part() -> None:
    term = LOSSES.build("contrastive", width=3, bank=4)
    z_e = torch.randn(4, 3, dtype=torch.float64)
    value, state = term(make_step(z_e=z_e, cell=torch.tensor([-1, -1, 0, 0])), term.initial_state())
    pair, _ = term(make_step(z_e=z_e[2:], cell=torch.tensor([0, 0])), term.initial_state())
    assert value.item() == pytest.approx(pair.item(), abs=1e-12)
    assert torch.isfinite(term(make_step(seed=3), state)[0])
    assert term(make_step(z_e=z_e, cell=torch.full((4,), -1)), state)[0].item() == 0.0


def test_bank_carries_no_gradient_and_is_a_new_tensor() -> None:
    term = LOSSES.build("contrastive", width=3, bank=6)
    before = term.initial_state()
    z_e = torch.randn(4, 3, requires_grad=True)
    _, after = term(make_step(z_e=z_e), before)
    assert before["cell"].tolist() == [-1] * 6
    assert after["cell"].tolist() == [0, 1, 2, 3, -1, -1]
    assert after["pointer"].item() == 4
    assert not after["z_e"].requires_grad


def test_the_bank_knows_how_full_and_how_old_it_is() -> None:
    term = LOSSES.build("contrastive", width=3, bank=10)
    state = term.initial_state()
    assert {name: float(v) for name, v in term.report(state, 0).items()} == {"bank_fill": 0.0}
    for index in (0, 3, 7):  # four rows each, the last of them of no training cell line
        _, state = term(make_step(cell=torch.tensor([0, 1, 2, -1]), index=index), state)
    # 12 rows in 10 places: step 0 keeps rows 2 and -1, steps 3 and 7 all; of training cell lines 1 + 3 + 3.
    found = {name: float(v) for name, v in term.report(state, 9).items()}
    assert found == pytest.approx(
        {"bank_fill": 0.7, "bank_age_mean": (9 + 3 * 6 + 3 * 2) / 7, "bank_age_max": 9.0}
    )


def test_prototypes_know_how_long_they_have_not_moved() -> None:
    term = LOSSES.build("prototypes_hinged", cell_lines=4, width=3)
    state = term.initial_state()
    assert term.report(state, 0) == {}
    for index, cells in ((0, [0, 1]), (4, [1, 1]), (5, [2, -1])):
        _, state = term(make_step(z_e=torch.ones(2, 3), cell=torch.tensor(cells), index=index), state)
    assert state["moved"].tolist() == [0, 4, 5, -1]
    found = {name: float(v) for name, v in term.report(state, 6).items()}
    ages = {"prototype_age_mean": (6 + 2 + 1) / 3, "prototype_age_max": 6.0}
    assert found == pytest.approx({**ages, "acting_share": 0.0})


def test_prototypes_report_in_what_share_of_episodes_they_act() -> None:
    term = LOSSES.build("prototypes_hinged", cell_lines=3, width=2, radius=0.5)
    state = term.initial_state()
    for index, (far, cells) in enumerate(((9.0, [0, 1]), (0.4, [0, 1]), (0.7, [0, -1]), (0.9, [2, 1]))):
        z_e = torch.tensor([[far, 0.0], [far, 0.0]])
        _, state = term(make_step(z_e=z_e, cell=torch.tensor(cells), index=index), state)
        assert ("acting_share" in term.report(state, index)) == (index > 0)
        state = {**state, "prototype": torch.zeros(3, 2)}
    # Counted: lines 0 and 1 at 0.4, line 0 at 0.7, line 1 at 0.9; not what is met for the first time, or is no line.
    assert (state["counted"].item(), state["forced"].item()) == (4, 2)
    assert term.report(state, 4)["acting_share"].item() == 0.5


def test_ring_overwrites_the_oldest() -> None:
    columns, pointer = {"x": torch.zeros(5)}, torch.tensor(0)
    written = []
    for start in range(1, 14, 2):
        columns, pointer = write_ring(columns, pointer, {"x": torch.tensor([float(start), float(start + 1)])})
        written += [float(start), float(start + 1)]
        held = sorted(value for value in columns["x"].tolist() if value)
        assert held == sorted(written[-5:])
    assert pointer.item() == 14 % 5


def test_ring_keeps_the_last_rows_of_a_write_that_is_too_long() -> None:
    columns, pointer = write_ring({"x": torch.zeros(3)}, torch.tensor(1), {"x": torch.arange(1.0, 8.0)})
    assert columns["x"].tolist() == [7.0, 5.0, 6.0]
    assert pointer.item() == 1
    empty, same = write_ring({"x": torch.zeros(0)}, torch.tensor(0), {"x": torch.ones(2)})
    assert empty["x"].numel() == 0
    assert same.item() == 0


def test_prototypes_by_hand() -> None:
    state = {
        "prototype": torch.tensor([[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]]),
        "seen": torch.tensor([1.0, 1.0, 0.0]),
        "moved": torch.tensor([3, 4, -1]),
        **COUNTS,
    }
    z_e = torch.tensor([[1.0, 3.0], [0.0, 2.25], [5.0, 5.0]])
    step = make_step(z_e=z_e, cell=torch.tensor([0, 1, 2]))
    values = {}
    for kind, own in (("pull", {}), ("hinged", {"radius": 0.5}), ("contrastive", {"tau": 0.5})):
        term = LOSSES.build(f"prototypes_{kind}", cell_lines=3, width=2, momentum=0.75, **own)
        values[kind], new = term(step, state)
        # cell line 2 was not met: no force, and its prototype is set whole
        expected = [[1.0, 0.75], [0.0, 2.0625], [5.0, 5.0]]
        assert new["prototype"].tolist() == expected
        assert new["seen"].tolist() == [1.0, 1.0, 1.0]
    assert values["pull"].item() == pytest.approx((9.0 + 0.0625) / 2)
    assert values["hinged"].item() == pytest.approx(2.5**2 / 2)
    cosines = [(1 / math.sqrt(10), 3 / math.sqrt(10)), (1.0, 0.0)]
    wanted = (
        sum(-math.log(math.exp(a / 0.5) / (math.exp(a / 0.5) + math.exp(b / 0.5))) for a, b in cosines) / 2
    )
    assert values["contrastive"].item() == pytest.approx(wanted, rel=1e-6)


def spread_after_training(kind: str, **own: float) -> tuple[float, float]:
    """Within-cell spread of z_E = scale * x before and after 200 steps on the prototype term alone."""
    source = torch.Generator().manual_seed(0)
    x = torch.randn(6, 2, generator=source) * 0.2
    cell = torch.tensor([0, 0, 0, 1, 1, 1])
    scale = torch.ones((), requires_grad=True)
    term = LOSSES.build(f"prototypes_{kind}", cell_lines=2, width=2, **own)
    state = term.initial_state()
    optimiser = torch.optim.SGD([scale], lr=0.5)
    start = x[:3].std().item()
    for _ in range(200):
        value, state = term(make_step(z_e=scale * x, cell=cell), state)
        if value.requires_grad:
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
    return start, (scale.detach() * x[:3]).std().item()


def test_pull_collapses_and_hinged_does_not() -> None:
    start, pulled = spread_after_training("pull")
    assert pulled < 1e-3 * start
    start, hinged = spread_after_training("hinged", radius=1.0)
    assert hinged == pytest.approx(start)


def test_hinged_gradient_is_finite_on_the_prototype() -> None:
    z_e = torch.zeros(1, 2, requires_grad=True)
    term = LOSSES.build("prototypes_hinged", cell_lines=1, width=2, radius=0.0)
    state = {"prototype": torch.zeros(1, 2), "seen": torch.ones(1), "moved": torch.zeros(1), **COUNTS}
    term(make_step(z_e=z_e, cell=torch.tensor([0])), state)[0].backward()
    assert torch.isfinite(grad(z_e)).all()


def test_contrastive_prototypes_need_two_cell_lines() -> None:
    term = LOSSES.build("prototypes_contrastive", cell_lines=3, width=2)
    state = {
        "prototype": torch.ones(3, 2),
        "seen": torch.tensor([1.0, 0.0, 0.0]),
        "moved": torch.tensor([0, -1, -1]),
        **COUNTS,
    }
    value, _ = term(make_step(z_e=torch.randn(2, 2), cell=torch.tensor([0, 0])), state)
    assert value.item() == pytest.approx(0.0, abs=1e-6)


def test_related_cell_lines_are_weaker_negatives_by_hand() -> None:
    """Anchor z = (1, 0) of line 0; candidates of lines 0, 1, 2 at cosines 0.6, 0.8, 0 and tau 1; lines 0 and 1 are
    related by 0.75: -log(e^0.6 / (e^0.6 + 0.25 e^0.8 + e^0))."""
    z_e = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, -0.6], [0.0, 1.0]], dtype=torch.float64)
    cell = torch.tensor([0, 0, 1, 2])
    relations = torch.zeros(3, 3)
    relations[0, 1] = 0.75
    step = make_step(z_e=z_e, cell=cell)

    def loss(related: torch.Tensor | None) -> float:
        term = LOSSES.build("contrastive", width=2, tau=1.0, bank=0, relations=related)
        return term(step, term.initial_state())[0].item()

    def by_hand(keep: float) -> float:
        first = -math.log(math.exp(0.6) / (math.exp(0.6) + keep * math.exp(0.8) + 1.0))
        # the other anchor of line 0: cosines 0.6 with it, 0.48 - 0.48 = 0 with line 1, 0.8 with line 2
        second = -math.log(math.exp(0.6) / (math.exp(0.6) + keep * 1.0 + math.exp(0.8)))
        return (first + second) / 2  # lines 1 and 2 have no positive

    assert loss(relations) == pytest.approx(by_hand(0.25), rel=1e-6)
    assert loss(None) == loss(torch.zeros(3, 3)) == pytest.approx(by_hand(1.0), rel=1e-9)
    relations[0, 1] = 1.0
    assert loss(relations) == pytest.approx(by_hand(0.0), rel=1e-9), "wholly related: no negative at all"
    with pytest.raises(ValueError, match=r"have to lie in \[0, 1\]"):
        loss(2 * relations)


def test_relations_hold_in_the_bank_and_for_training_lines_only() -> None:
    relations = torch.zeros(4, 4)
    relations[1, 0] = 0.5
    plain, related = (LOSSES.build("contrastive", width=3, bank=8, relations=r) for r in (None, relations))
    _, state = plain(make_step(episodes=4, seed=1), plain.initial_state())
    step = make_step(episodes=2, seed=2, cell=torch.tensor([0, -1]))
    z = torch.nn.functional.normalize(step.z_e[0], dim=0)
    cosine = torch.exp(state["z_e"][:4].double() @ z / 0.2)
    wanted = -torch.log(cosine[0] / (cosine[0] + 0.5 * cosine[1] + cosine[2] + cosine[3]))
    assert related(step, state)[0].item() == pytest.approx(wanted.item(), rel=1e-5)
    assert plain(step, state)[0].item() > related(step, state)[0].item()
