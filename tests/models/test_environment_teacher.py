"""Teacher, fusion, distillation and the Teacher's memory, against hand-computed numbers."""

from typing import Any

import pytest
import torch
from torch import nn

from models.environment import SET_ENCODERS, TEACHERS
from models.environment.branches import Branches
from models.environment.fusion import fuse, teacher_share
from models.environment.memory import EARLIER, NOW, after_step, at_epoch, initial_memory, part
from models.environment.resistance import FLOOR, Reference, Resistance
from models.environment.student import SupportEnvironment
from models.environment.teacher import GradientTeacher
from models.episode import Support
from models.losses import LOSSES
from models.streams import initialise
from tests.models.steps import make_step
from tests.models.test_environment import changed, make_support
from tests.typed import as_a

C, W = 4, 3


def build(kind: str, seed: int = 0) -> Branches:
    """Student, head and Teacher of a model of C cell lines, z_i of 4 features, z_E of W."""
    own: dict[str, Any] = {"cell_lines": C, "width": W} if kind == "gradient" else {"momentum": 0.75}
    environment = SupportEnvironment(SET_ENCODERS.build("mean", inputs=5, width=W), features=4)
    resistance = Resistance(W, 4)
    teacher = TEACHERS.build(kind, **own)
    model = torch.nn.ModuleDict({"e": environment, "r": resistance, "t": teacher}).double()
    initialise(model, seed)
    return Branches(environment, resistance.cell_part, None, None, teacher)


def unseen(support: Support) -> Support:
    return changed(support, cell=torch.full_like(support.cell, -1))


def test_gradient_teacher_is_linear_in_embedding_and_prototypes() -> None:
    teacher = as_a(GradientTeacher, build("gradient").teacher)
    cell, nodes = torch.tensor([2, 0, 2]), torch.arange(C * 2 * W, dtype=torch.float64).reshape(C, 2, W)
    bare, placed = teacher(cell, None), teacher(cell, nodes)
    for e, c in enumerate([2, 0, 2]):
        by_hand = teacher.head.weight[0] @ teacher.table.weight[c] + teacher.head.bias[0]
        assert bare[e].item() == pytest.approx(by_hand.item(), abs=1e-12)
        # prototypes of cell line c: rows 6 c .. 6 c + 5, whose mean per dimension is 6 c + 1.5 + (0, 1, 2)
        mean = torch.tensor([6.0 * c + 1.5 + k for k in range(W)], dtype=torch.float64)
        assert placed[e].item() == pytest.approx((by_hand + teacher.head.weight[0] @ mean).item(), abs=1e-12)


def test_fusion_by_hand_is_the_student_for_an_unseen_cell_line() -> None:
    share = teacher_share(torch.tensor([3, -1, 0]), 0.25)
    assert share.tolist() == [0.25, 0.0, 0.25]
    teacher, student = torch.tensor([4.0, 1e30, -2.0]), torch.tensor([2.0, 0.1, 6.0])
    assert fuse(share, teacher, student).tolist() == [2.5, student[1].item(), 4.0]
    assert torch.equal(fuse(torch.ones(3), teacher, student), teacher)


@pytest.mark.parametrize("sign", ["softplus", "standardise", "plain"])
def test_resistance_fuses_its_branches_in_the_units_of_r(sign: str) -> None:
    model = Resistance(W, 4, nonnegative=sign == "softplus", standardise=sign == "standardise").double()
    initialise(model, 3)
    z_e, raw_t = torch.randn(2, W, dtype=torch.float64), torch.tensor([0.5, -1.0], dtype=torch.float64)
    reference = Reference.initial(3, W).update(
        torch.tensor([0, 1]), torch.tensor([1.0, 3.0]), torch.zeros(2, W)
    )
    share = torch.tensor([0.25, 0.0], dtype=torch.float64)
    out = model(z_e, torch.zeros(2, 5, 4), reference, teacher=(raw_t, share))
    raw_s = model.raw_cell(z_e)

    def units(x: torch.Tensor) -> torch.Tensor:
        if sign == "softplus":
            return torch.log1p(x.exp())
        return (x - 2.0) / (1.0 + FLOOR**2) ** 0.5 if sign == "standardise" else x

    torch.testing.assert_close(out.student, units(raw_s))
    torch.testing.assert_close(out.teacher, units(raw_t))
    torch.testing.assert_close(out.cell, share * units(raw_t) + (1 - share) * units(raw_s))
    torch.testing.assert_close(out.raw, share * raw_t + (1 - share) * raw_s)
    assert torch.equal(out.r, out.cell.unsqueeze(1))
    assert torch.equal(out.cell[1], out.student[1])


def test_gradient_teacher_reads_the_name_ema_the_support_set() -> None:
    support, other = make_support(), make_support(seed=5)
    by_name, average = build("gradient"), build("ema")
    memory = part(initial_memory(average, pseudo_unseen=False), NOW)
    assert torch.equal(by_name.teacher_raw(support), by_name.teacher_raw(other))
    assert torch.equal(average.teacher_raw(support, memory), average.teacher_raw(unseen(support), memory))
    assert not torch.equal(average.teacher_raw(support, memory), average.teacher_raw(other, memory))


def test_average_of_the_student_by_hand() -> None:
    branches = build("ema")
    student = as_a(nn.Linear, branches.head).weight
    first = student.detach().clone()
    memory = initial_memory(branches, pseudo_unseen=False)
    support = make_support()
    assert torch.equal(
        branches.teacher_raw(support, part(memory, NOW)),
        branches.head(branches.student(support)).squeeze(-1),
    )
    with torch.no_grad():
        student += 1.0
    once = after_step(memory, branches)
    twice = after_step(once, branches)
    name = NOW + "resistance.cell_part.weight"
    torch.testing.assert_close(once[name], first + 0.25)
    torch.testing.assert_close(twice[name], first + 0.25 + 0.25 * 0.75)
    assert torch.equal(memory[name], first)
    assert not once[name].requires_grad


@pytest.mark.parametrize("kind", ["gradient", "ema"])
def test_the_earlier_teacher_is_frozen_for_an_epoch_then_teaches(
    kind: str,
) -> None:
    branches, support = build(kind), make_support()
    head = as_a(GradientTeacher, branches.teacher).head if kind == "gradient" else branches.head
    live = as_a(nn.Linear, head).weight
    memory = initial_memory(branches, pseudo_unseen=True)

    def now() -> torch.Tensor:
        return branches.teacher_raw(support, part(memory, NOW) if kind == "ema" else None).detach()

    def earlier() -> torch.Tensor:
        return branches.teacher_raw(support, part(memory, EARLIER))

    memory = at_epoch(memory, branches, 3)  # phase 2 begins: no Teacher has trained yet
    assert memory["ready"].item() == 0.0
    for _ in range(3):
        with torch.no_grad():
            live += 0.5
        memory = at_epoch(after_step(memory, branches), branches, 3)
    assert not torch.allclose(now(), earlier())
    stood = now()
    memory = at_epoch(memory, branches, 4)
    assert memory["ready"].item() == 1.0
    assert torch.equal(earlier(), stood)
    with torch.no_grad():
        live -= 2.0
    memory = at_epoch(after_step(memory, branches), branches, 4)
    assert torch.equal(earlier(), stood), "frozen through the epoch"
    assert not torch.allclose(now(), stood)


def test_without_a_teacher_nothing_is_remembered() -> None:
    branches = build("gradient")._replace(teacher=None)
    assert initial_memory(branches, pseudo_unseen=True) == {}
    assert after_step({}, branches) == {}
    assert initial_memory(build("gradient"), pseudo_unseen=False) == {}


def test_distillation_by_hand_and_its_target_is_fixed() -> None:
    student = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([0.0, 4.0, float("inf")], dtype=torch.float64).clamp(max=9).requires_grad_()
    step = make_step(episodes=3, r_student=student, r_teacher=teacher, taught=torch.tensor([1.0, 1.0, 0.0]))
    loss, _ = LOSSES.build("distillation")(step, {})
    assert loss.item() == (1.0 + 4.0) / 2
    found = torch.autograd.grad(loss, [student, teacher], allow_unused=True)
    assert found[0].tolist() == [1.0, -2.0, 0.0]
    assert found[1] is None
    nobody = make_step(episodes=3, r_student=student, r_teacher=teacher, taught=torch.zeros(3))
    assert LOSSES.build("distillation")(nobody, {})[0].item() == 0.0
    with pytest.raises(ValueError, match="needs a Teacher"):
        LOSSES.build("distillation")(make_step(r_teacher=None), {})


def test_averages_of_several_replicates_run_under_vmap() -> None:
    members = [build("ema", seed=k) for k in range(2)]
    support = make_support()
    memories = [part(initial_memory(member, pseudo_unseen=False), NOW) for member in members]
    stacked = {name: torch.stack([memory[name] for memory in memories]) for name in memories[0]}
    together = torch.func.vmap(lambda values: members[0].teacher_raw(support, values))(stacked)
    for k, member in enumerate(members):
        torch.testing.assert_close(together[k], member.teacher_raw(support, memories[k]))


def test_unknown_settings_are_errors() -> None:
    with pytest.raises(ValueError, match="not in"):
        TEACHERS.build("ema", momentum=1.0)
