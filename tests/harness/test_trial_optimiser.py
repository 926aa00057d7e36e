"""The optimiser of trials is torch's AdamW bit for bit, through its own checkpoint too."""

import pytest
import torch
from torch import nn

from harness.trial.step.optimiser import PlainAdamW


def stepped(cls: type[torch.optim.AdamW], *, fused: bool) -> list[nn.Parameter]:
    """Parameters [4, 3] and [3] after five steps, with a state that was saved and loaded amid them."""
    stream = torch.Generator().manual_seed(0)
    one, other = (nn.Parameter(torch.randn(shape, generator=stream)) for shape in ((4, 3), (3,)))

    def made() -> torch.optim.AdamW:
        groups = [{"params": [one], "weight_decay": 0.1}, {"params": [other], "weight_decay": 0.0}]
        return cls(groups, lr=0.01, fused=fused)

    optimiser = made()
    for index in range(5):
        (one @ other).square().sum().backward()
        optimiser.step()
        assert one.grad is not None
        optimiser.zero_grad(set_to_none=True)
        assert one.grad is None
        if index == 2:
            state = optimiser.state_dict()
            optimiser = made()
            optimiser.load_state_dict(state)
    return [one, other]


@pytest.mark.parametrize("fused", [True, False])
def test_a_plain_adamw_is_torchs(fused: bool) -> None:
    plain, theirs = (stepped(cls, fused=fused) for cls in (PlainAdamW, torch.optim.AdamW))
    assert all(torch.equal(a, b) for a, b in zip(plain, theirs, strict=True))
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in plain)
