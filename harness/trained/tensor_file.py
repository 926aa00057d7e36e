"""Tensors of units as one file: safetensors where that is installed, else what torch loads with weights_only."""

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from analysis.errors import UserError
from harness.trained.trained_unit import TrainedUnit

NAMES = ("weights.safetensors", "weights.pt")
GROUPS = ("model", "reference", "memory")


def file_name() -> str:
    """The name of the file that is written here."""
    return NAMES[0] if find_spec("safetensors") else NAMES[1]


def to_bytes(name: str, units: Sequence[TrainedUnit]) -> bytes:
    """All tensors of the units, each under UNIT/GROUP/NAME, in the format of the file `name`."""
    tensors: dict[str, Tensor] = {}
    for unit in units:
        for group in GROUPS:
            tensors |= {f"{unit.name}/{group}/{key}": value for key, value in unit.weights[group].items()}
        facts = {"v": unit.v, "relations": unit.relations}
        tensors |= {f"{unit.name}/facts/{key}": value for key, value in facts.items() if value is not None}
    # Copies: tensors that share their memory are two of one name in safetensors.
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    if name == NAMES[0]:
        from safetensors.torch import save

        return bytes(save(tensors))
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


def from_bytes(name: str, data: bytes) -> dict[str, dict[str, Any]]:
    """Unit -> `weights`, `v` and `relations` of a TrainedUnit, of what `to_bytes` gave.

    Raises
    ------
    UserError
        for a file of safetensors where that is not installed.
    """
    if name == NAMES[0]:
        if not find_spec("safetensors"):
            raise UserError(
                f"{name} needs the package safetensors, which is not installed (pip install safetensors)"
            )
        from safetensors.torch import load

        tensors: Mapping[str, Tensor] = load(data)
    else:
        tensors = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    units: dict[str, dict[str, Any]] = {}
    for key, value in tensors.items():
        unit, group, rest = key.split("/", 2)
        empty: dict[str, Any] = {"weights": {group: {} for group in GROUPS}, "v": None, "relations": None}
        held = units.setdefault(unit, empty)
        (held if group == "facts" else held["weights"][group])[rest] = value
    return units
