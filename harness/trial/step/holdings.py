"""Everything that a trainer's next step depends on, tensor by tensor, by name."""

import hashlib
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from harness.trial.step.trainer import Trainer

OPTIMISER = "optimiser"


def holdings(trainer: Trainer) -> dict[tuple[str, ...], Tensor]:
    """(part, ...) -> tensor: parameters and buffers of model and terms, states of terms, balance, reference, memory, and
    what the optimiser keeps of each parameter. Beside them a trainer has its `index` alone."""
    held: dict[tuple[str, ...], Tensor] = {}
    for part, module in (("model", trainer.model), ("terms", trainer.terms)):
        held |= {(part, name): value.detach() for name, value in module.state_dict().items()}
    for key, state in trainer.states.items():
        held |= {("states", key, name): value for name, value in state.items()}
    held |= {("balance", name): value for name, value in trainer.balance_state.items()}
    held |= {("reference", name): value for name, value in trainer.reference._asdict().items()}
    held |= {("memory", name): value for name, value in trainer.memory.items()}
    for name, parameter in trainer.named_parameters().items():
        moments = trainer.optimiser.state.get(parameter, {})
        held |= {(OPTIMISER, name, kind): value for kind, value in moments.items()}
    return held


def hold(trainer: Trainer, held: Mapping[tuple[str, ...], Tensor], index: int) -> None:
    """Put tensors of `holdings` in the place of the trainer's own; what is not among them stays as it is."""
    whole = trainer.weights()
    states = {key: dict(state) for key, state in whole["states"].items()}
    parts: dict[str, dict[str, Tensor]] = {
        name: dict(whole[name]) for name in ("model", "terms", "balance", "reference", "memory")
    }
    parameters = trainer.named_parameters()
    for (part, *rest), value in held.items():
        if part == OPTIMISER:
            trainer.optimiser.state[parameters[rest[0]]][rest[1]] = value
        elif part == "states":
            states[rest[0]][rest[1]] = value
        else:
            parts[part][rest[0]] = value
    trainer.load_weights({**parts, "states": states, "index": index})


def digests(held: Mapping[tuple[str, ...], Tensor]) -> dict[tuple[str, ...], str]:
    """Name -> hash of the tensor's values, shape and type."""
    return {name: _digest(value) for name, value in held.items()}


def _digest(value: Tensor) -> str:
    array = np.ascontiguousarray(value.cpu().numpy())
    said = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.blake2b(said + array.tobytes(), digest_size=16).hexdigest()
