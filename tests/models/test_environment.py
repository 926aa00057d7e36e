"""Environments: the cell line's name, and the Student that does not care about the order of its support set."""

from typing import Any

import pytest
import torch

from models.environment import ENVIRONMENTS, SET_ENCODERS, Environment, UnseenCellLineError
from models.environment.identity import IdEnvironment
from models.environment.set_encoders import AttentionEncoder, MomentsEncoder
from models.environment.student import SupportEnvironment, pair_inputs
from models.episode import Support
from models.streams import initialise
from tests.typed import grad


def make_support(episodes: int = 3, size: int = 7, features: int = 4, seed: int = 0) -> Support:
    source = torch.Generator().manual_seed(seed)
    draw: dict[str, Any] = {"generator": source, "dtype": torch.float64}
    return Support(
        z_i=torch.randn(episodes, size, features, **draw),
        u=torch.randn(episodes, size, **draw),
        label=(torch.rand(episodes, size, **draw) < 0.5).double(),
        labelled=(torch.rand(episodes, size, **draw) < 0.5).double(),
        cell=torch.arange(episodes),
    )


def student(encoder: str, labels: bool = False, seed: int = 0) -> Environment:
    options = {"inducing": 5} if encoder == "isab" else {}
    of_pairs = SET_ENCODERS.build(encoder, inputs=pair_inputs(4, labels), width=6, **options)
    model = ENVIRONMENTS.build("support", encoder=of_pairs, features=4, labels=labels).double()
    initialise(model, seed)
    return model


def changed(support: Support, **fields: torch.Tensor) -> Support:
    return Support(**{**vars(support), **fields})


@pytest.mark.parametrize("encoder", SET_ENCODERS.keys())
def test_every_element_of_a_support_set_counts(encoder: str) -> None:
    support = make_support()
    model = student(encoder)
    z_i = support.z_i.clone().requires_grad_()
    u = support.u.clone().requires_grad_()
    out = model(changed(support, z_i=z_i, u=u))
    assert out.shape == (3, 6)
    weight = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    (out * weight).sum().backward()
    assert (grad(z_i).abs().sum(-1) > 0).all()
    assert (grad(u).abs() > 0).all()
    assert model(make_support(size=1)).isfinite().all(), "one pair is enough"


def test_student_reads_known_labels_and_no_others() -> None:
    support = make_support()
    hidden = changed(support, label=torch.where(support.labelled > 0, support.label, 1 - support.label))
    shown = changed(support, label=1 - support.label)
    seeing, blind = student("moments", labels=True), student("moments")
    assert torch.equal(seeing(support), seeing(hidden)), "a label where labelled = 0 is ignored"
    assert not torch.equal(seeing(support), seeing(shown))
    assert torch.equal(blind(support), blind(shown))


def test_student_does_not_read_the_cell_line() -> None:
    support = make_support()
    model = student("attention")
    assert torch.equal(model(support), model(changed(support, cell=torch.full((3,), -1))))


def test_detached_support_gives_the_sequence_side_nothing() -> None:
    support = make_support()
    z_i, u = support.z_i.clone().requires_grad_(), support.u.clone().requires_grad_()
    model = student("mean")
    out = model(changed(support, z_i=z_i, u=u).detached()).sum()
    reached = torch.autograd.grad(out, [z_i, u], allow_unused=True, retain_graph=True)
    assert [part is None for part in reached] == [True, True]
    assert torch.autograd.grad(out, next(model.parameters()))[0].abs().sum() > 0


def test_moments_sees_the_spread_that_a_mean_hides() -> None:
    narrow = torch.tensor([[[-1.0], [1.0]]], dtype=torch.float64)
    encoder = MomentsEncoder(inputs=1, width=3).double()
    initialise(encoder, 0)
    seen: list[torch.Tensor] = []
    encoder.rho.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    encoder(narrow)
    h = encoder.hidden
    mean, spread = seen[0][0, : 1 + h], seen[0][0, 1 + h :]
    assert mean[0].item() == 0.0
    assert spread[0].item() == pytest.approx((1 + 1e-6) ** 0.5)
    phi = encoder.phi(narrow)[0]
    assert torch.allclose(mean[1:], phi.mean(0))
    assert torch.allclose(spread[1:], (phi.var(0, correction=0) + 1e-6).sqrt())


def test_mean_encoder_of_equal_elements_is_that_of_one() -> None:
    encoder = SET_ENCODERS.build("mean", inputs=2, width=3).double()
    one = torch.randn(1, 1, 2, dtype=torch.float64)
    assert torch.allclose(encoder(one.expand(1, 9, 2)), encoder(one), rtol=0, atol=1e-14)


def test_attention_pool_against_a_loop_over_heads() -> None:
    encoder = AttentionEncoder(inputs=3, width=4).double()
    initialise(encoder, 2)
    x = torch.randn(2, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    block, h = encoder.pool.block, encoder.hidden
    for episode in range(2):
        y = encoder.phi(x[episode])
        q = block.query(encoder.pool.seed)[0]
        pieces = []
        for k in range(4):
            part = slice(k * h // 4, (k + 1) * h // 4)
            keys, values = block.key(y)[:, part], block.value(y)[:, part]
            pieces.append(torch.softmax(keys @ q[part] / (h / 4) ** 0.5, 0) @ values)
        inner = block.norm_attention(q + torch.cat(pieces))
        wanted = encoder.out(block.norm_feed(inner + torch.relu(block.feed(inner))))
        assert torch.allclose(encoder(x)[episode], wanted, rtol=0, atol=1e-12)


def test_id_looks_the_cell_line_up_and_refuses_an_unseen_one() -> None:
    model = IdEnvironment(cell_lines=4, width=3)
    support = changed(make_support(), cell=torch.tensor([2, 0, -1]))
    out = model(support)
    assert torch.equal(out[:2], model.table.weight[[2, 0]])
    assert out[2].isnan().all(), "a skipped check must not pass for an answer"
    with pytest.raises(UnseenCellLineError, match="unseen cell line"):
        model.check_cells(support.cell)
    with pytest.raises(UnseenCellLineError, match="outside the 4"):
        model.check_cells(torch.tensor([4]))
    model.check_cells(torch.tensor([0, 3]))


def test_id_gives_an_unseen_cell_line_the_mean_when_asked() -> None:
    model = IdEnvironment(cell_lines=4, width=3, unseen="mean")
    cell = torch.tensor([-1, 1])
    model.check_cells(cell)
    out = model(changed(make_support(episodes=2), cell=cell))
    assert torch.allclose(out[0], model.table.weight.mean(0))
    assert torch.equal(out[1], model.table.weight[1])


def test_id_gradient_is_finite_beside_an_unseen_cell_line() -> None:
    model = IdEnvironment(cell_lines=2, width=3)
    model(changed(make_support(episodes=2), cell=torch.tensor([-1, 1])))[1].sum().backward()
    assert grad(model.table.weight).tolist() == [[0.0] * 3, [1.0] * 3]


def test_unknown_settings_are_errors() -> None:
    with pytest.raises(ValueError, match="a support pair has 7 inputs, and its set encoder takes 5"):
        SupportEnvironment(SET_ENCODERS.build("mean", inputs=5, width=6), features=4, labels=True)
    with pytest.raises(TypeError, match="inducing"):
        SET_ENCODERS.build("mean", inputs=4, width=6, inducing=3)
    with pytest.raises(ValueError, match="neither 'error' nor 'mean'"):
        ENVIRONMENTS.build("id", cell_lines=4, width=3, unseen="skip")
