"""Competition (M38) and the Opportunist (M27): every part against numbers worked out by hand."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from models.environment.opportunist import Opportunist, Standardiser
from models.losses.competition import RHO_MAX, Competition
from models.losses.mixture import mixture_logit
from models.losses.profiles import alike, profile_alignment
from models.losses.standing import Standing
from models.losses.task import BinaryCrossEntropy, Immax, TaskLoss
from models.streams import initialise
from tests.models.steps import make_step
from tests.typed import as_a

LINES, WIDTH, STATISTICS = 4, 2, 6


def build(**given: Any) -> Competition:
    arguments = {"cell_lines": LINES, "width": WIDTH, "statistics": STATISTICS, "task": "bce", "warmup": 1}
    term = Competition(**{**arguments, **given}).double()
    initialise(term, 3)
    return term


def standing_state(
    term: Competition, seen: list[list[float]], hidden: list[list[float]]
) -> dict[str, torch.Tensor]:
    """The initial state with losses (student, opportunist, baseline) per line set, each met 5 times; the advantage is
    what the Student loses more."""
    state = {name: value.double() for name, value in term.initial_state().items()}
    for kind, rows in (("seen", seen), ("hidden", hidden)):
        for name, values in zip(("student", "opportunist", "baseline"), rows, strict=True):
            state[f"{kind}/{name}"] = torch.tensor(values, dtype=torch.float64)
        state[f"{kind}/advantage"] = state[f"{kind}/student"] - state[f"{kind}/opportunist"]
        state[f"{kind}/met"] = torch.full_like(state[f"{kind}/met"], 5.0)
    return state


def test_running_losses_and_rho_by_hand() -> None:
    standing = Standing(*(torch.zeros(3, dtype=torch.float64) for _ in Standing._fields))
    assert standing.rho().tolist() == [1.0, 1.0, 1.0]
    losses = [(0.8, 0.4, 0.5, 0.2), (0.4, 0.4, 0.5, -0.2), (9.0, 9.0, 9.0, 9.0)]
    for row in losses[:2]:
        values = tuple(torch.tensor([v, 7.0], dtype=torch.float64) for v in row)
        standing = standing.update(torch.tensor([1, -1]), values, momentum=0.75)
    # line 1: 0.8, then 0.75 * 0.8 + 0.25 * 0.4 = 0.7; the episode of no line is passed over
    assert standing.student.tolist() == pytest.approx([0.0, 0.7, 0.0])
    assert standing.opportunist.tolist() == pytest.approx([0.0, 0.4, 0.0])
    assert standing.advantage.tolist() == pytest.approx([0.0, 0.1, 0.0])
    assert standing.met.tolist() == [0.0, 2.0, 0.0]
    assert standing.rho().tolist() == pytest.approx([1.0, 1.75, 1.0])


@pytest.mark.parametrize(
    ("advantage", "unseen", "wanted"),
    [
        (0.06, -0.1, 1.0),  # three margins, of which none is left where the name is hidden
        (0.03, -0.1, 0.5),
        (0.02, 0.0, 0.0),
        (0.06, 0.06, 0.0),  # a stable feature
        (0.06, 0.03, 0.5),
        (-0.1, -0.3, 0.0),
    ],
)
def test_a_shortcut_is_an_advantage_on_seen_episodes_only(
    advantage: float, unseen: float, wanted: float
) -> None:
    term = build(margin=0.02)
    state = standing_state(term, [[1.0] * 4] * 3, [[2.0] * 4] * 3)
    state["seen/advantage"] = torch.full((4,), advantage, dtype=torch.float64)
    state["hidden/advantage"] = torch.full((4,), 2 * unseen, dtype=torch.float64)  # relative to L_S = 2
    assert term.shortcut(state).tolist() == pytest.approx([wanted] * 4)
    state["hidden/met"][2] = 0.0
    assert term.shortcut(state)[2] == 0.0, "without pseudo-unseen episodes nothing can be said"


def test_who_does_not_know_the_line_says_the_mean_of_lines() -> None:
    logits = torch.logit(torch.tensor([[0.2, 0.9], [0.6, 0.7], [0.1, 0.1]], dtype=torch.float64))
    found = mixture_logit(logits, torch.tensor([[1.0], [1.0], [0.0]], dtype=torch.float64)).sigmoid()
    assert found.tolist() == pytest.approx([0.4, 0.8])
    none = mixture_logit(logits, torch.zeros(3, 1))
    assert none.tolist() == [0.0, 0.0]
    far = mixture_logit(torch.tensor([[80.0, 900.0], [90.0, -900.0]], dtype=torch.float64), torch.ones(2, 1))
    # 1 - P_0 = (e^-80 + e^-90) / 2 has no room beside 1, and 1/2 is 1/2
    assert found.isfinite().all()
    assert far.tolist() == pytest.approx([80 + math.log(2 / (1 + math.exp(-10))), 0.0], abs=1e-9)
    unknown = mixture_logit(torch.tensor([[1.0], [math.nan]]), torch.tensor([[1.0], [0.0]]))
    assert unknown.item() == pytest.approx(1.0)


@pytest.mark.parametrize("form", ["linear", "gated"])
def test_a_judge_who_knows_nothing_has_no_advantage(form: str) -> None:
    """Neither the mean of the lines that a judge never met nor its gauge is an advantage: Student and Opportunists
    that say one thing of every line are even, and one that tells lines apart is ahead by what that is worth."""
    term = build(folds=2, momentum=0.0)
    step = make_step(seed=8, width=WIDTH, queries=400)
    truth = torch.tensor([1.5, -1.5, 1.2, -1.2], dtype=torch.float64)
    u = 2 * step.u

    def energy(r: torch.Tensor) -> torch.Tensor:
        return u - r if form == "linear" else u * torch.sigmoid(-r)

    source = torch.Generator().manual_seed(0)
    drawn = torch.rand(u.shape, generator=source, dtype=torch.float64)
    label = (drawn < energy(truth.unsqueeze(1)).sigmoid()).double()
    given: dict[str, Any] = {
        "u": u,
        "label": label,
        "energy_of": energy,
        "shallow": torch.zeros_like(step.shallow),
    }
    for head in (as_a(Opportunist, opportunist).head for opportunist in term.opportunists):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.constant_(head.bias, 0.7)
    state = {name: value.double() for name, value in term.initial_state().items()}
    for student, ahead in ((torch.full((4,), -0.2, dtype=torch.float64), 0.0), (truth, -0.005)):
        known = {
            **state,
            "met": torch.ones(4, dtype=torch.float64),
            "r_s": student,
            "r_o": state["r_o"] + 0.7,
        }
        _, new = term(make_step(seed=8, width=WIDTH, queries=400, **given, r_heard=student), known)
        advantage = new["seen/advantage"]
        if ahead == 0.0:
            assert advantage.tolist() == pytest.approx([0.0] * 4, abs=1e-12)
            assert not torch.allclose(new["seen/student"], new["seen/opportunist"], atol=0.01)
        else:
            assert (advantage < ahead).all()


def test_profiles_by_hand_and_what_they_do_not_depend_on() -> None:
    # Four lines at the corners of a square around (1, 1): the centre is (1, 1).
    reference = torch.tensor([[2.0, 1.0], [1.0, 2.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    met, line = torch.ones(4, dtype=torch.float64), torch.tensor([0])
    z = torch.tensor([[4.0, 5.0]], dtype=torch.float64)  # centred (3, 4): cosines 3/5, 4/5, -3/5, -4/5
    cosine, other = profile_alignment(z, line, reference, met)
    assert cosine.tolist()[0] == pytest.approx([0.6, 0.8, -0.6, -0.8])
    assert other.tolist() == [[0.0, 1.0, 1.0, 1.0]]
    second, _ = profile_alignment(z.flip(1), line, reference, met)  # (4, 3): 4/5, 3/5, -4/5, -3/5
    wanted = (0.8 * 0.6 + 0.6 * 0.8 + 0.8 * 0.6) / math.sqrt((0.64 + 0.36 + 0.64) * (0.36 + 0.64 + 0.36))
    assert alike(cosine, second, other).item() == pytest.approx(wanted)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    moved, _ = profile_alignment(3 * z @ turn + 7, line, 3 * reference @ turn + 7, met)
    assert torch.allclose(moved, cosine)
    assert alike(cosine, second, 0 * other).item() == 0.0


def test_the_standardiser_by_hand() -> None:
    scaler = Standardiser.initial(2)
    assert scaler.apply(torch.ones(1, 2)).tolist() == [[0.0, 0.0]]
    scaler = scaler.update(torch.tensor([[1.0, 0.0], [3.0, 0.0]]), 0.5)
    scaler = scaler.update(torch.tensor([[5.0, 0.0], [5.0, 0.0]]), 0.5)
    # weights 1/4 and 1/2: mean (0.25 * 2 + 0.5 * 5) / 0.75 = 4, square (0.25 * 5 + 0.5 * 25) / 0.75 = 55/3
    spread = math.sqrt(55 / 3 - 16)
    assert scaler.apply(torch.tensor([[4.0 + spread, 0.0]])).tolist()[0] == pytest.approx(
        [1.0, 0.0], abs=1e-5
    )
    assert scaler.apply(torch.tensor([[1e9, 0.0]]))[0, 0] == 5.0


def test_the_opportunist_by_hand() -> None:
    opportunist = Opportunist(statistics=1, width=2)
    for parameter in opportunist.parameters():
        torch.nn.init.zeros_(parameter)
    as_a(nn.Linear, opportunist.look[0]).weight.data[0] = (
        2.0  # hidden unit 0: GELU(2 x), the others GELU(0) = 0
    )
    as_a(nn.Linear, opportunist.look[2]).weight.data[:, 0] = torch.tensor([3.0, 5.0])
    opportunist.head.weight.data[0] = torch.tensor([-1.0, 0.0])
    opportunist.head.bias.data[0] = 0.5
    z, r = opportunist(torch.tensor([[1.0]]))
    gelu = 2.0 * 0.5 * (1 + math.erf(2.0 / math.sqrt(2)))
    assert r.item() == pytest.approx(0.5 - 3 * gelu)
    assert z[0].tolist() == pytest.approx([0.0, 5 * gelu], abs=1e-5), "without its part along the head"
    opportunist.nonnegative = True
    softened = math.log1p(math.exp(0.5 - 3 * gelu))
    assert opportunist(torch.tensor([[1.0]])).r.item() == pytest.approx(softened, rel=1e-4)


@pytest.mark.parametrize("task", [Immax, BinaryCrossEntropy])
def test_the_loss_of_an_episode_is_its_task_loss(task: type[TaskLoss]) -> None:
    term, step = task(), make_step(seed=5)
    state = {name: value + 0.2 for name, value in term.initial_state().items()}
    rows = term.of_episodes(step.logit, step.label, state)
    for k in range(4):
        alone = make_step(logit=step.logit[k : k + 1], label=step.label[k : k + 1])
        assert rows[k].item() == pytest.approx(term(alone, state)[0].item())


def cross_entropy(logit: torch.Tensor, target: torch.Tensor) -> float:
    """-mean (t ln P + (1 - t) ln (1 - P))."""
    return (target * softplus(-logit) + (1 - target) * softplus(logit)).mean().item()


def test_the_value_and_the_next_state_by_hand() -> None:
    term = build(push=2.0, pull=3.0, folds=3, margin=0.2)
    hidden = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    step = make_step(seed=7, width=WIDTH, pseudo_unseen=hidden)
    state = standing_state(
        term,
        [[0.6, 0.6, 0.9, 4.5], [0.5, 0.8, 0.6, 0.5], [0.4, 0.5, 0.6, 0.3]],
        [[0.6, 0.6, 0.9, 0.6], [0.8, 0.8, 0.6, 0.8], [1.0] * 4],
    )
    state["seen/advantage"] = torch.tensor([0.15, -0.2, 0.3, 4.0], dtype=torch.float64)
    rho = [0.6 / 0.5, 0.6 / 0.8, 0.9 / 0.6, RHO_MAX]
    h = [0.5, 0.2, 0.5, 1.0]  # min(1, L_S / L_B - 1): 0.6/0.4, 0.6/0.5, 0.9/0.6, 4.5/0.3
    # d = 0.15 / 0.6 is 1.25 margins; none; 0.3 / 0.9, all of which stays where the name is hidden; far beyond
    s = [0.25, 0.0, 0.0, 1.0]
    generator = torch.Generator().manual_seed(0)
    for name in ("z_s", "z_o", "r_s", "r_o"):
        state[name] = torch.randn(state[name].shape, generator=generator, dtype=torch.float64)
    state["met"] = torch.ones(4, dtype=torch.float64)
    x = step.shallow.mean(1)
    scaled = Standardiser(state["mean"], state["square"], state["weight"]).update(x, 0.99).apply(x)
    said = [opportunist(scaled) for opportunist in term.opportunists]

    def unknowing(e: int, r: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.sigmoid(step.u[e] - one) for one in r]).mean(0)

    wanted, learnt, acted, l_s, l_o, advantage = 0.0, [], [], [], [], []
    for e in range(4):
        judge = (e + 1) % 3 if e != 2 else e % 3
        mine, other = profile_alignment(step.z_e[e : e + 1], torch.tensor([e]), state["z_s"], state["met"])
        neighbour = (e + 1) % 3
        theirs, _ = profile_alignment(
            said[neighbour].z[e : e + 1], torch.tensor([e]), state["z_o"][:, neighbour], state["met"]
        )
        away = s[e] * alike(mine, theirs, other).item() ** 2
        l_s.append(cross_entropy(step.u[e] - step.r_heard[e], step.label[e]))
        wanted += rho[e] * (3.0 * h[e] * l_s[e] + 2.0 * away) / 4
        acted.append(float(away > 0))
        own = []
        for k in range(3):
            logit = step.u[e] - said[k].r[e]
            own.append(cross_entropy(logit, step.label[e]))
            taught = unknowing(e, state["r_o"][[c for c in range(4) if c % 3 != k], k])
            if k != e % 3 and e != 2:
                learnt.append(((1 - s[e]) * own[k] + s[e] * cross_entropy(logit, taught)) / rho[e])
            if k == judge:
                gain_o = cross_entropy(torch.logit(taught), step.label[e]) - own[k]
        gain_s = cross_entropy(torch.logit(unknowing(e, state["r_s"])), step.label[e]) - l_s[e]
        l_o.append(own[judge])
        advantage.append(gain_o - gain_s)
    assert sum(acted) == 2
    value, new = term(step, state)
    assert value.item() == pytest.approx(wanted + sum(learnt) / len(learnt))
    # seen episodes are judged by Opportunist (c + 1) mod 3, the hidden one of line 2 by number 2 mod 3
    for e, kind, before in ((0, "seen", (0.6, 0.5, 0.15)), (2, "hidden", (0.9, 0.6, 0.3))):
        for name, old, now in zip(
            ("student", "opportunist", "advantage"), before, (l_s[e], l_o[e], advantage[e]), strict=True
        ):
            assert new[f"{kind}/{name}"][e].item() == pytest.approx(0.9 * old + 0.1 * now), (kind, name)
    assert new["seen/opportunist"][2].item() == 0.6
    assert new["seen/met"].tolist() == [6.0, 6.0, 5.0, 6.0]
    assert new["r_o"][1].tolist() == pytest.approx(
        [0.9 * state["r_o"][1, k].item() + 0.1 * said[k].r[1].item() for k in range(3)]
    )
    assert new["r_s"][1].item() == pytest.approx(
        0.9 * state["r_s"][1].item() + 0.1 * step.r_heard[1].item(),
        abs=1e-6,
    )
    assert new["acted"].tolist() == pytest.approx([0.1 * a for a in acted])
    report = term.report(state, 0)
    assert report["rho"].tolist() == pytest.approx([1.2, 0.75, 1.5, 9.0])
    assert report["advantage"].tolist() == pytest.approx([0.15, -0.2, 0.3, 4.0])


def test_a_teacher_as_baseline() -> None:
    term = build(baseline="teacher")
    step = make_step(seed=2, width=WIDTH)
    _, new = term(step, term.initial_state())
    logit = step.u - step.r_teacher.unsqueeze(1)
    wanted = softplus(torch.where(step.label > 0.5, -logit, logit)).mean(1)
    assert torch.allclose(new["seen/baseline"].double(), wanted)
    assert not torch.allclose(new["seen/opportunist"].double(), wanted)


def acting_state(term: Competition) -> dict[str, torch.Tensor]:
    """A state in which pull-in and push-away act on lines 0 to 2; line 3 has no shortcut."""
    state = standing_state(term, [[0.9] * 3 + [0.4], [0.5] * 4, [0.5] * 4], [[0.5] * 4, [0.9] * 4, [0.9] * 4])
    generator = torch.Generator().manual_seed(1)
    state["z_s"] = torch.randn(4, WIDTH, generator=generator, dtype=torch.float64)
    state["z_o"] = torch.randn(4, term.folds, WIDTH, generator=generator, dtype=torch.float64)
    state["met"] = torch.ones(4, dtype=torch.float64)
    return state


@pytest.mark.parametrize("isolated", [True, False])
def test_only_the_environment_moves_unless_routing_is_shared(isolated: bool) -> None:
    term = build()
    step = make_step(seed=4, width=WIDTH)
    u = step.u.requires_grad_()
    potential = u.detach() if isolated else u
    r = step.r_heard.requires_grad_()
    z_e = step.z_e.requires_grad_()
    given: dict[str, Any] = {"u": u, "z_e": z_e, "r_heard": r, "energy_of": lambda r: potential - r}
    value, _ = term(make_step(seed=4, width=WIDTH, **given), acting_state(term))
    found = torch.autograd.grad(value, [u, r, z_e, *term.parameters()], allow_unused=True)
    assert (found[0] is None) == isolated
    assert all(g is not None and g.abs().sum() > 0 for g in found[1:3])
    assert sum(float(g.abs().sum()) for g in found[3:] if g is not None) > 0


def test_no_opportunist_learns_from_its_fold_or_without_a_name() -> None:
    term = build(push=0.0, pull=1.0)  # folds 4, lines 0 to 3: Opportunist k never learns from line k
    step = make_step(
        seed=6, width=WIDTH, pseudo_unseen=torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    )
    for line in range(4):
        shallow = step.shallow.clone().requires_grad_()
        x = shallow.mean(1)
        l_o = [(k, term.opportunists[k](x).r[line]) for k in range(4)]
        assert all(torch.isfinite(r) for _, r in l_o)
    alone = [make_step(seed=6, width=WIDTH, cell=torch.full((4,), line)) for line in range(4)]
    for line, only in enumerate(alone):
        value, _ = term(only, term.initial_state())
        for k, opportunist in enumerate(term.opportunists):
            grads = torch.autograd.grad(
                value, list(opportunist.parameters()), allow_unused=True, retain_graph=True
            )
            moved = sum(float(g.abs().sum()) for g in grads if g is not None)
            assert (moved == 0) == (k == line)
    nameless = make_step(seed=6, width=WIDTH, pseudo_unseen=torch.ones(4, dtype=torch.float64))
    value, _ = term(nameless, term.initial_state())
    assert value.item() == 0.0


def test_one_rho_for_all_lines_hides_what_each_line_shows() -> None:
    """Documented failure: advantages and disadvantages of cell lines cancel, and push and pull stay at 0."""
    rows = torch.tensor([0.9, 0.3, 0.9, 0.3], dtype=torch.float64)
    acted = {}
    for scope in ("cell", "batch"):
        term = build(scope=scope, folds=2)
        state = term.initial_state()
        for index in range(6):
            step = make_step(seed=index, width=WIDTH, pseudo_unseen=torch.zeros(4, dtype=torch.float64))
            even = torch.full((4,), 0.6, dtype=torch.float64)
            line = step.cell if scope == "cell" else torch.zeros_like(step.cell)
            ahead, behind = (rows, even, even, rows - even), (even, even, even, 0 * even)
            for kind, now in (("seen", ahead), ("hidden", behind)):
                old = Standing(*(state[f"{kind}/{name}"] for name in Standing._fields))
                updated = old.update(line, now, 0.9)._asdict()
                state |= {f"{kind}/{name}": value for name, value in updated.items()}
        acted[scope] = term.shortcut(state).tolist()
    assert acted == {"cell": [1.0, 0.0, 1.0, 0.0], "batch": [0.0]}


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="folds 1"):
        build(folds=1)
    with pytest.raises(ValueError, match="scope"):
        build(scope="line")
    with pytest.raises(ValueError, match="has no shallow: that needs the shallow statistics"):
        build()(make_step(width=WIDTH, shallow=None), build().initial_state())


def test_it_rests_without_a_shortcut_while_the_student_leads() -> None:
    term = build(margin=0.02)
    even = standing_state(term, [[0.7] * 4] * 3, [[0.7] * 4] * 3)
    assert term.rests(term.initial_state())
    assert term.rests(even)
    ahead = {**even, "seen/advantage": torch.tensor([0.0, 0.03, 0.0, 0.0], dtype=torch.float64)}
    assert term.rests(ahead) == "", "a shortcut in one cell line"
    behind = {**even, "seen/student": torch.tensor([0.7, 0.7, 0.72, 0.7], dtype=torch.float64)}
    assert term.rests(behind) == "", "pull-in acts on one cell line"
    assert term.rests({**behind, "seen/met": torch.zeros(4, dtype=torch.float64)}), "nothing is known yet"


def test_awake_every_part_acts_and_every_number_counts() -> None:
    step = make_step(seed=4, width=WIDTH)
    values = {}
    changes: dict[str, dict[str, Any]] = {
        "plain": {},
        "pull": {"pull": 2.0},
        "push": {"push": 1.0},
        "unrewarded": {"push": 0.0},
        "margin": {"margin": 0.175},
        "warmup": {"warmup": 20},
    }
    for name, change in changes.items():
        term = build(**{"warmup": 10, "margin": 0.05, **change})
        state = term.awake(term.initial_state())
        assert {n: v.shape for n, v in state.items()} == {n: v.shape for n, v in term.initial_state().items()}
        values[name] = term(step, state)[0].item()
    for name, value in values.items():
        assert name == "plain" or abs(value - values["plain"]) > 1e-6, name


@pytest.mark.parametrize("margin", [0.0, 0.02, 1.0])
def test_awake_push_away_acts_at_any_margin(margin: float) -> None:
    term = build(margin=margin)
    assert (term.shortcut(term.awake(term.initial_state()))[::2] > 0.3).any()
