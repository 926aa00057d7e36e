"""Checkpoints of one replicate: `last` (to continue) and that of the selected epoch (what is evaluated)."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from harness.run_store import replace_atomically


class Damaged(Exception):
    """The checkpoint `file` is there and cannot be read."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file.name} cannot be read ({reason})")
        self.file = file


class Checkpoints:
    """`<folder>/<name>.pt`, replaced atomically; plain data and tensors only (loaded with weights_only).

    The selected epoch is part of its file's name, and older ones go only after `last` names the new one: whatever
    instant a kill comes at, the file that `last` speaks of is there and holds that epoch's weights.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        replace_atomically(self.folder / f"{name}.pt", buffer.getvalue())

    def load(self, name: str, device: torch.device) -> dict[str, Any] | None:
        """The stored state, or None when there is none yet. Raises Damaged for a file that holds none."""
        path = self.folder / f"{name}.pt"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except (RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
            raise Damaged(path, (str(error).splitlines() or [type(error).__name__])[0]) from error
        return state

    def files(self) -> list[Path]:
        """Every checkpoint that is there."""
        return sorted(self.folder.glob("*.pt"))

    def keep(self, *names: str) -> None:
        """Delete every checkpoint but these."""
        for path in self.files():
            if path.stem not in names:
                path.unlink(missing_ok=True)
