"""The head behind a frozen sequence side is the head of a whole one."""

import pytest
import torch

from models.sequence.frozen import PowersKAN
from models.sequence.kan import FourierKAN


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_powers_are_the_multiples_of_the_angle(dtype: torch.dtype, close: float) -> None:
    plain, powers = FourierKAN(4, 7).to(dtype), PowersKAN(4, 7).to(dtype)
    powers.load_state_dict(plain.state_dict())
    x = torch.linspace(-6.0, 6.0, 80, dtype=dtype).view(20, 4)
    torch.testing.assert_close(powers.basis(x), plain.basis(x), rtol=0, atol=close)
    torch.testing.assert_close(powers(x), plain(x), rtol=close, atol=close)
    for one, other in zip(
        torch.autograd.grad(powers(x).sum(), list(powers.parameters())),
        torch.autograd.grad(plain(x).sum(), list(plain.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=close, atol=20 * close)
    assert powers(torch.full((1, 4), torch.nan, dtype=dtype)).isnan().all()
