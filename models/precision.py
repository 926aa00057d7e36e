"""Which numbers are never computed in half precision."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """x, as float32 where it is bfloat16 or float16; exact, since both are subsets of float32."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
