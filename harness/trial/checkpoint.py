"""Checkpoints of one replicate: `last` (to continue, as long as it runs) and `best` (what is evaluated), replaced
atomically."""

import io
from pathlib import Path
from typing import Any

import torch

from harness.run_store import replace_atomically


class Checkpoints:
    """`<folder>/last.pt` and `<folder>/best.pt`; each holds plain data and tensors only (loaded with weights_only)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        replace_atomically(self.folder / f"{name}.pt", buffer.getvalue())

    def load(self, name: str, device: torch.device) -> dict[str, Any] | None:
        """The stored state, or None when there is none yet."""
        path = self.folder / f"{name}.pt"
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return state
