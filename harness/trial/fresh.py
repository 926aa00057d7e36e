"""The state of a process that trains one trial after another."""

import random

import numpy as np
import torch

from harness.trial.device import exact_float32
from harness.trial.memory import keep_freed_memory


def fresh_globals(threads: int) -> None:
    """Put the process-wide state that a trial could have changed back to what a new process has."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 the legacy global generator is the very thing that is reset
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    if torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(False)  # imports torch's compiler: more than a second
    torch.set_num_threads(threads)
    exact_float32()
    keep_freed_memory()
