"""Output channels of the sequence side, and what group sparsity makes of them."""

from typing import Any

import pytest
import torch
from torch import nn

from harness.config.blocks.model import ModelBlock
from models.building import build_sequence
from models.losses import LOSSES
from models.sequence.channels import output_channels
from models.sequence.kan import FourierKAN
from models.streams import initialise
from tests.models.steps import make_step
from tests.typed import as_a, grad

SMALL: dict[str, Any] = {
    "embedding": 4,
    "kernel": 3,
    "width": 8,
    "heads": 2,
    "enhancer_bp": 400,
    "promoter_bp": 1600,
}


def test_channels_of_linear_convolution_and_kan_by_hand() -> None:
    linear, conv, kan = nn.Linear(2, 2), nn.Conv1d(1, 1, 3), FourierKAN(1, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        conv.weight.copy_(torch.tensor([[[1.0, 2.0, 2.0]]]))
        kan.cosine.copy_(torch.tensor([[[1.0, 2.0]], [[0.0, 0.0]], [[4.0, 4.0]]]))
        kan.sine.copy_(torch.tensor([[[2.0]], [[5.0]], [[7.0]]]))
        kan.out.weight.copy_(torch.tensor([[2.0, 1.0, 2.0]]))
    found = output_channels(nn.ModuleList([linear, conv, nn.LayerNorm(4), kan]))
    assert found.norm.tolist() == [5.0, 0.0, 3.0, 3.0, 5.0, 9.0, 3.0]
    assert found.size.tolist() == [2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    found.norm.sum().backward()
    assert grad(linear.weight)[0].tolist() == pytest.approx([0.6, 0.8])
    assert grad(linear.weight)[1].tolist() == [0.0, 0.0], "a channel at 0 has no gradient"
    assert output_channels(nn.LayerNorm(3)).norm.shape == (0,)


@pytest.mark.parametrize("encoder", ["cbat", "cross_attention", "cnn"])
def test_every_matrix_is_in_once_and_nothing_else(encoder: str) -> None:
    sequence = build_sequence(ModelBlock.model_validate({**SMALL, "encoder": encoder}).model_dump())
    initialise(sequence, 0)
    found = output_channels(sequence)
    found.norm.sum().backward()
    reached = {name: p for name, p in sequence.named_parameters() if p.grad is not None and grad(p).any()}
    assert int(found.size.sum()) == sum(p.numel() for p in reached.values())
    left_out = {name.rsplit(".", 1)[-1] for name, _ in sequence.named_parameters() if name not in reached}
    assert left_out <= {
        "bias",
        "embedding",
        "segment",
        "raw_temperature",
        "raw_sharpness",
        "threshold",
        "weight",
    }
    dims = {
        p.ndim for name, p in sequence.named_parameters() if name not in reached and name.endswith(".weight")
    }
    assert dims <= {1}, "weights of norms only"


def test_group_sparsity_takes_whole_channels_that_nothing_needs() -> None:
    source = torch.Generator().manual_seed(0)
    x = torch.randn(128, 6, generator=source)
    y = torch.tanh(x[:, :1] - x[:, 1:2])
    norms = {}
    for weight in (0.0, 0.3):
        network = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for layer in (network[0], network[2]):
                as_a(nn.Linear, layer).reset_parameters()
        term, optimiser = (
            LOSSES.build("sparsity_groups"),
            torch.optim.AdamW(network.parameters(), lr=0.01, fused=True),
        )
        for _ in range(300):
            channels = output_channels(network)
            step = make_step(channel_norm=channels.norm, channel_size=channels.size)
            loss = (network(x) - y).square().mean() + weight * term(step, {})[0]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        norms[weight] = output_channels(network).norm[:16].detach()
        assert float((network(x) - y).detach().square().mean()) < 0.05
    gone = {weight: int((norm < 0.05 * norm.max()).sum()) for weight, norm in norms.items()}
    assert gone[0.0] == 0
    assert gone[0.3] >= 8
