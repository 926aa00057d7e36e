"""AdamW for trials, without what torch imports to compile an optimiser."""

from typing import Any

import torch
from torch.optim import AdamW


def _plain(name: str) -> Any:
    """A method of torch's AdamW below its wrapper for `torch.compile`."""
    return getattr(AdamW, name).__wrapped__


class PlainAdamW(AdamW):
    """torch's AdamW, number for number, by the methods below their wrappers for `torch.compile`.

    No optimiser is compiled here, and these wrappers import torch._dynamo when the first optimiser of a process is made:
    a second of processor, about what torch itself takes, in every worker of a sweep.
    """

    step = torch.no_grad()(_plain("step"))
    zero_grad = _plain("zero_grad")
    add_param_group = _plain("add_param_group")
    state_dict = _plain("state_dict")
    load_state_dict = _plain("load_state_dict")
