"""Pairs whose sequence side is frozen: what it gave for each of them, mapped from a file, and numbers in place of
windows."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.errors import UserError
from harness.data.dataset import EncodedDataset, SideInput

META, Z_I, ROW = "features.json", "z_i.npy", "pair_row.npy"
DIGITS = 4
"""Bytes of a pair's number, as `models.sequence.frozen` reads it."""
FORMAT = 1


class FrozenFeatures:
    """z_I [K + 1, d] of the distinct pairs of a fold, the last row that of null windows, and the row [N] of every pair of
    the data (-1: of no split). `unit`: whose sequence side gave them; `side`: its configuration; `checkpoint`: SHA-256 of
    its weights; `digest`: SHA-256 of all of it.

    Another process that opens `path`, or unpickles it, maps the same pages; copies are the features themselves.
    """

    def __init__(self, path: Path, content: Mapping[str, Any], z_i: np.ndarray, row: np.ndarray) -> None:
        self.path, self.z_i, self.row = path, z_i, row
        self.unit, self.side = str(content["unit"]), str(content["side"])
        self.checkpoint, self.digest = str(content["checkpoint"]), str(content["digest"])

    @classmethod
    def open(cls, path: Path) -> "FrozenFeatures":
        """Those in a folder, mapped; verified once per process.

        Raises
        ------
        UserError
            for a folder that does not hold what was stored there.
        """
        return _opened(Path(path))

    @property
    def width(self) -> int:
        """d."""
        return int(self.z_i.shape[1])

    def of(self, numbers: Tensor) -> Tensor:
        """z_I float32 [B, d] of pairs by their rows, int64 [B]; -1: of null windows."""
        return torch.from_numpy(self.z_i[numbers.cpu().numpy()]).to(numbers.device)

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.path,)


class FrozenDataset(EncodedDataset):
    """A dataset whose pairs show their row of `frozen` features in place of their windows, on both sides alike."""

    def __init__(self, dataset: EncodedDataset, frozen: FrozenFeatures) -> None:
        super().__init__(dataset.path, dataset.origin)
        self._original, self.frozen = dataset.original, frozen
        numbers = np.arange(len(frozen.z_i) - 1, dtype=np.uint32).view(np.uint8).reshape(-1, DIGITS)
        # A pair of no split has no row: an index beyond the numbers, where -1 would be the last one.
        self._numbers = numbers, np.where(frozen.row < 0, len(numbers), frozen.row)

    @property
    def original(self) -> EncodedDataset:
        return self._original

    @property
    def inputs(self) -> tuple[SideInput, SideInput]:
        return self._numbers, self._numbers

    def enhancer_bases(self, pairs: np.ndarray) -> np.ndarray:
        """The numbers uint8 [B, 4] of pair indices [B]; IndexError for a pair of no split."""
        numbers, row = self._numbers
        return numbers[row[pairs]]

    def promoter_bases(self, pairs: np.ndarray) -> np.ndarray:
        """The same."""
        return self.enhancer_bases(pairs)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDataset, (self.original, self.frozen)


def answers_of(dataset: EncodedDataset, side: str) -> FrozenFeatures | None:
    """The features that a configuration with `frozen: SIDE` is trained on; None for one that trains its own sequence side.

    Raises
    ------
    UserError
        where the dataset has none of that side: a sweep with `fidelity` makes them.
    """
    there = "" if dataset.frozen is None else dataset.frozen.side
    if side == there:
        return dataset.frozen
    raise UserError(
        f"frozen: {side or '(empty)'} asks for "
        f"{f'the trained sequence side of configuration {side}' if side else 'no frozen side'}, and "
        f"there {f'is that of {there}' if there else 'is none here'}; a sweep with fidelity: cached trains it and "
        "sets this key"
    )


def digest_of(content: Mapping[str, Any], z_i: np.ndarray, row: np.ndarray) -> str:
    """SHA-256 of features and of what they are of."""
    said = {name: content[name] for name in ("format", "unit", "side", "checkpoint", "data")}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for array in (z_i, row):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write_features(folder: Path, content: Mapping[str, Any], z_i: np.ndarray, row: np.ndarray) -> None:
    """Write features into an empty folder."""
    folder.mkdir()
    np.save(folder / Z_I, z_i)
    np.save(folder / ROW, row)
    whole = {"format": FORMAT, **content}
    (folder / META).write_text(json.dumps({**whole, "digest": digest_of(whole, z_i, row)}, indent=1) + "\n")


def stored_content(folder: Path) -> dict[str, Any] | None:
    """What a folder says that its features are of; None where it holds none that can be read."""
    try:
        content = json.loads((folder / META).read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("format") == FORMAT else None


@cache
def _opened(path: Path) -> FrozenFeatures:
    try:
        content = json.loads((path / META).read_text())
        # Private maps, since torch asks for memory that could be written to; nobody does.
        z_i, row = (np.load(path / name, mmap_mode="c", allow_pickle=False) for name in (Z_I, ROW))
        digest = digest_of(content, z_i, row)
        if digest != content["digest"]:
            raise ValueError("they do not have the content of their digest")
        return FrozenFeatures(path, content, np.asarray(z_i), np.asarray(row))
    except (OSError, ValueError, KeyError, EOFError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path}: the features of the frozen sequence side are damaged ({type(error).__name__}: {reason}); delete that "
            "folder, and the next start computes them again"
        ) from None
