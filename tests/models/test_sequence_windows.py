"""Windows that pairs share, and scores that are taken in parts: both change nothing but the time."""

import pytest
import torch
from torch import Tensor

from models.sequence import attend as attention
from models.sequence import side
from models.sequence.attend import attend
from models.sequence.windows import Windows
from models.streams import SeededNoise
from tests.contracts.test_encoder import network

ROWS = torch.tensor([2, 0, 1, 2, 2, 0, 1]), torch.tensor([1, 3, 1, 0, 2, 2, 1])


class Counted:
    """Windows [M, L] of pairs `row`, and how often each was read."""

    def __init__(self, bases: Tensor, row: Tensor) -> None:
        self.bases, self.reads = bases, [0] * len(bases)
        self.windows = Windows(row, len(bases), self.read)

    def read(self, numbers: Tensor) -> Tensor:
        for number in numbers.tolist():
            self.reads[number] += 1
        return self.bases[numbers]


def sides(seed: int = 4) -> tuple[Counted, Counted]:
    draw = torch.Generator().manual_seed(seed)
    enhancer = torch.randint(0, 5, (3, 50), generator=draw, dtype=torch.uint8)
    promoter = torch.randint(0, 5, (4, 90), generator=draw, dtype=torch.uint8)
    return Counted(enhancer, ROWS[0]), Counted(promoter, ROWS[1])


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("batch", [None, 1, 3])
def test_shared_windows_are_read_once(share: bool, batch: int | None) -> None:
    model, (enhancer, promoter) = network("cbat", share_sides=share, share_strands=share), sides()
    expected = model(enhancer.bases[ROWS[0]], promoter.bases[ROWS[1]])
    output = model(enhancer.windows, promoter.windows, batch=batch)
    torch.testing.assert_close(output, expected, rtol=1e-10, atol=1e-10)
    assert (enhancer.reads, promoter.reads) == ([1] * 3, [1] * 4)


def test_windows_beyond_memory_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (enhancer, promoter) = network("cross_attention"), sides()
    expected = model(enhancer.bases[ROWS[0]], promoter.bases[ROWS[1]])
    monkeypatch.setattr(side, "KEPT_BYTES", 1)
    output = model(enhancer.windows, promoter.windows, batch=2)
    torch.testing.assert_close(output, expected, rtol=1e-10, atol=1e-10)
    assert max(enhancer.reads) > 1
    assert max(promoter.reads) == 1


@pytest.mark.parametrize("share", [False, True])
def test_shared_windows_have_the_gradient_of_separate_ones(share: bool) -> None:
    model, (enhancer, promoter) = network("cbat", share_sides=share, dropout=0.3), sides()
    tables = model.tables()
    pairs = (
        ((enhancer.windows, promoter.windows), tables),
        ((enhancer.bases[ROWS[0]], promoter.bases[ROWS[1]]), None),
    )
    gradients = [
        torch.autograd.grad(
            model(*sequences, SeededNoise(1, 2), tables=given).u.square().sum(), list(model.parameters())
        )
        for sequences, given in pairs
    ]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-11)


def test_no_pair_gives_empty_output() -> None:
    model = network("cnn")
    output = model(torch.zeros(0, 50, dtype=torch.uint8), torch.zeros(0, 90, dtype=torch.uint8))
    assert output.u.shape == (0,)
    assert output.z_i.shape == (0, 8)


@pytest.mark.parametrize("keys", [3, 20])
def test_scores_in_parts_are_those_of_one_softmax(keys: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(keys)
    q, k, v = (torch.randn(5, 2, n, 4, dtype=torch.float64, generator=draw) for n in (6, keys, keys))
    bias = torch.zeros(5, 1, 1, keys, dtype=torch.float64).masked_fill(
        torch.rand(keys, generator=draw) < 0.3, -1e30
    )
    bias[..., 0] = 0.0
    expected = torch.softmax((q @ k.mT).tanh() + bias, dim=-1) @ v
    torch.testing.assert_close(attend(q, k, v, bias, torch.tanh), expected, rtol=1e-12, atol=1e-12)
    monkeypatch.setattr(attention, "SCORE_BYTES", 2 * 2 * 6 * keys * 8)
    torch.testing.assert_close(attend(q, k, v, bias, torch.tanh), expected, rtol=1e-12, atol=1e-12)
