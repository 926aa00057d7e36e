"""Checkpoints of one unit: `last` (to continue) and that of the selected epoch (what is evaluated)."""

import hashlib
import io
import json
import os
import pickle
import stat
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.store.writer import replace_atomically

MAGIC = b"EPI-checkpoint"
"""The last bytes of a checkpoint."""
_TAIL = struct.Struct(f"<I{len(MAGIC)}s")


class Damaged(Exception):
    """The checkpoint `file` is there and cannot be read."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file.name} cannot be read ({reason})")
        self.file = file


class Checkpoints:
    """`<folder>/<name>.pt`, replaced atomically; plain data and tensors only (loaded with weights_only).

    Each is what torch.save writes, as torch.load reads it, and after that the unit (the folder's name), the
    checkpoint's name and the SHA-256 of it all, which are verified when it is loaded: torch itself does not look.

    The selected epoch is part of its file's name, and older ones go only after `last` names the new one: whatever
    instant a kill comes at, the file that `last` speaks of is there and holds that epoch's weights.

    `digests` has the hash of each checkpoint that was saved or loaded, by name; no other content is loaded under that
    name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: dict[str, str] = {}

    def save(self, name: str, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save(_by_itself(state), buffer)
        content = buffer.getvalue()
        digest = self._digest(name, content)
        label = json.dumps({"unit": self.folder.name, "name": name, "sha256": digest}).encode()
        replace_atomically(self._file(name), content + label + _TAIL.pack(len(label), MAGIC))
        self.digests[name] = digest

    def load(self, name: str, device: torch.device) -> dict[str, Any] | None:
        """The stored state, or None when there is none yet.

        Raises
        ------
        Damaged
            for a file that holds none, or that of another unit, name or moment than it is loaded as.
        """
        path = self._file(name)
        if not os.path.lexists(path):
            return None
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise ValueError("it is no regular file")  # a pipe would be waited at
            content, digest = self._checked(name, path.read_bytes())
            state: dict[str, Any] = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
            reason = error.strerror if isinstance(error, OSError) else (str(error).splitlines() or [""])[0]
            raise Damaged(path, reason or type(error).__name__) from error
        self.digests[name] = digest
        return state

    def files(self) -> list[Path]:
        """Every checkpoint that is there."""
        return sorted(self.folder.glob("*.pt"))

    def keep(self, *names: str) -> None:
        """Delete every checkpoint but these."""
        for path in self.files():
            if path.stem not in names and not path.is_dir():
                path.unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.pt"

    def _digest(self, name: str, content: bytes) -> str:
        return hashlib.sha256(f"{self.folder.name}/{name}\n".encode() + content).hexdigest()

    def _checked(self, name: str, data: bytes) -> tuple[bytes, str]:
        """What torch.save wrote, and its hash; ValueError where that is not what was saved as `name`."""
        length, magic = _TAIL.unpack(data[-_TAIL.size :]) if len(data) >= _TAIL.size else (0, b"")
        if magic != MAGIC:
            raise ValueError("it does not end as a checkpoint does")
        end = len(data) - _TAIL.size - length
        content, label = data[: max(end, 0)], json.loads(data[max(end, 0) : -_TAIL.size])
        if (label["unit"], label["name"]) != (self.folder.name, name):
            raise ValueError(f"it is checkpoint {label['name']} of unit {label['unit']}")
        if self._digest(name, content) != label["sha256"]:
            raise ValueError("it does not have the content of its checksum")
        if self.digests.get(name, label["sha256"]) != label["sha256"]:
            raise ValueError("it holds other weights than those that were saved last")
        return content, label["sha256"]


def _by_itself(value: Any) -> Any:
    """Nested data with each tensor in memory of its own: torch.save writes all of what a view is a part of, and units that
    are trained as a stack hold views of what they have together."""
    if isinstance(value, Tensor):
        return value if value.untyped_storage().nbytes() == value.nbytes else value.clone()
    if isinstance(value, dict):
        return {key: _by_itself(part) for key, part in value.items()}
    return [_by_itself(part) for part in value] if isinstance(value, list) else value
