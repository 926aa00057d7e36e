"""What a trainer goes on from, as one hash per part, so that a resumed unit can be held to be where it was left."""

import hashlib
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from harness.audit.reference_step import moments
from harness.trial.step.trainer import Trainer


def digest(trainer: Trainer) -> dict[str, str]:
    """Hash of the parameters, of what the optimiser remembers, and of each explicit state, by the part's name."""
    kept = moments(trainer)
    parts: dict[str, Mapping[str, Any]] = {
        "parameters": {name: each.value for name, each in kept.items()},
        "optimiser": {name: each[1:] for name, each in kept.items()},
        "reference": trainer.reference._asdict(),
        "memory": trainer.memory,
        "balance": trainer.balance_state,
        **{f"state of {key}": state for key, state in trainer.states.items()},
        "number of steps": {"index": trainer.index},
    }
    return {name: _hash(values) for name, values in parts.items()}


def _hash(values: Any) -> str:
    made = hashlib.blake2b(digest_size=16)
    _add(made, values)
    return made.hexdigest()


def _add(made: "hashlib.blake2b", value: Any) -> None:
    if isinstance(value, Mapping):
        for name in sorted(value):
            made.update(name.encode())
            _add(made, value[name])
    elif isinstance(value, tuple):
        for part in value:
            _add(made, part)
    elif isinstance(value, Tensor):
        made.update(f"{value.dtype} {tuple(value.shape)}".encode())
        made.update(value.detach().cpu().contiguous().numpy().tobytes())
    else:
        made.update(repr(value).encode())
