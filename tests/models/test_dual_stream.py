"""Orthogonal streams: orthogonal whatever the optimiser does, and each doing its own work; the linear bottleneck."""

import pytest
import torch
from torch import nn

from models.building import build_sequence
from models.sequence.dual_stream import DualStream
from models.streams import initialise
from tests.contracts.test_encoder import SMALL, sequences
from tests.typed import as_a

BLOCK = {
    "encoder": "cnn",
    "pool": 8,
    "dropout": 0.35,
    "share_sides": False,
    "share_strands": False,
    "heads": 2,
    "self_attention_layers": 0,
    "blocks": 1,
    "anchors": 2,
    "window": 4,
    "grid": 3,
    **{key: SMALL[key] for key in ("embedding", "kernel", "width")},
}


def worst(z_i: torch.Tensor, z_e: torch.Tensor) -> float:
    """Largest |cosine| of an intrinsic and an environment vector."""
    a, b = (torch.nn.functional.normalize(side.detach().double(), dim=-1) for side in (z_i, z_e))
    return float((a @ b.T).abs().max())


@pytest.mark.parametrize("lr", [1.0])
def test_streams_stay_orthogonal_through_500_float32_steps(lr: float) -> None:
    torch.manual_seed(0)
    module = DualStream(8, 3)
    initialise(module, 0)
    start = module.rotation().detach().clone()
    optimiser = torch.optim.AdamW(module.parameters(), lr=lr, weight_decay=0.01, fused=True)
    h, target, e = torch.randn(20, 8), torch.randn(20, 8), torch.randn(5, 3)
    for step in range(500):
        streams = module(h + 0.1 * step / 500)
        loss = (streams.intrinsic - target).square().mean() + streams.environment.abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 100 == 99:
            q = module.rotation().detach()
            assert float((q.T @ q - torch.eye(8)).abs().max()) < 1e-5
            assert worst(module(h).intrinsic, module.place(e)) < 1e-5
            assert worst(module(h).intrinsic, module(h).environment) < 1e-5
    assert float((module.rotation().detach() - start).abs().max()) > 0.1, "the rotation was trained"


def test_streams_add_up_and_an_environment_keeps_its_length() -> None:
    module = DualStream(6, 2).double()
    initialise(module, 0)
    h, e = torch.randn(9, 6, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    intrinsic, environment = module(h)
    torch.testing.assert_close(intrinsic + environment, h)
    torch.testing.assert_close(module(intrinsic).intrinsic, intrinsic)
    assert torch.linalg.matrix_rank(intrinsic) == 4
    assert torch.linalg.matrix_rank(environment) == 2
    torch.testing.assert_close(module.place(e).norm(dim=1), e.norm(dim=1))
    torch.testing.assert_close(module(module.place(e)).environment, module.place(e))


def test_no_loss_of_the_environment_moves_the_rotation() -> None:
    module = DualStream(6, 2)
    e = torch.randn(4, 2, requires_grad=True)
    (found,) = torch.autograd.grad(
        module.place(e).square().sum(), module.a, allow_unused=True, retain_graph=True
    )
    assert found is None
    assert (
        torch.autograd.grad(module(torch.randn(3, 6)).intrinsic.square().sum(), module.a)[0].abs().sum() > 0
    )


def test_autocast_leaves_them_orthogonal() -> None:
    module = DualStream(16, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        streams = module(torch.randn(7, 16).bfloat16())
    assert streams.intrinsic.dtype == torch.float32
    assert worst(streams.intrinsic, streams.environment) < 1e-5


@pytest.mark.parametrize("environment", [0, 6])
def test_a_stream_without_dimensions_is_refused(environment: int) -> None:
    with pytest.raises(ValueError, match="leaves none"):
        DualStream(6, environment)


def test_the_potential_reads_the_intrinsic_stream_alone() -> None:
    model = build_sequence(BLOCK, environment_stream=3).double()
    initialise(model, 0)
    out = model(*sequences())
    assert worst(out.z_i, out.stream) < 1e-10
    torch.testing.assert_close(model.energy(out.z_i), out.u)
    plain = build_sequence(BLOCK).double()
    initialise(plain, 0)
    other = plain(*sequences())
    torch.testing.assert_close(out.z_i + out.stream, other.z_i)
    assert not torch.allclose(out.u, other.u, rtol=1e-3)
    assert torch.equal(other.stream, other.z_i)
    assert torch.equal(other.kl, torch.zeros(2).double())


def test_a_bottleneck_narrows_z_i_by_one_linear_map() -> None:
    model = build_sequence({**BLOCK, "bottleneck": 3}).double()
    plain = build_sequence({**BLOCK, "bottleneck": None}).double()
    for network in (model, plain):
        initialise(network, 0)
    out, wide = model(*sequences()), plain(*sequences())
    assert out.z_i.shape == (2, 3)
    assert model.features == 3
    assert plain.features == 8
    narrow = as_a(nn.Linear, model.narrow)
    torch.testing.assert_close(out.z_i, wide.z_i @ narrow.weight.T + narrow.bias)
    torch.testing.assert_close(out.u, model.energy(out.z_i))
    count = {
        name: sum(p.numel() for p in network.parameters()) for name, network in (("m", model), ("p", plain))
    }
    assert count["m"] < count["p"]


def test_bottleneck_price_and_streams_go_together() -> None:
    model = build_sequence({**BLOCK, "bottleneck": 5}, stochastic=True, environment_stream=2).double()
    initialise(model, 0)
    out = model(*sequences())
    assert out.z_i.shape == (2, 5)
    assert (out.kl > 0).all()
    assert worst(out.z_i, out.stream) < 1e-10
