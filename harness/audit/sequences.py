"""The sequences that the sequence side reads, against those of the data's own windows, by a few bases of every pair."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from harness.audit.alike import alike
from harness.data.dataset import EncodedDataset
from models.sequence.windows import Windows

BASES = 16
"""Columns of a window that are looked at, from its first base to its last."""
Glimpse = tuple[tuple[int, np.ndarray], ...]
"""Per side the width of the windows, and uint8 [B, BASES]: the bases of a batch in those columns."""


class ReadWindows:
    """Windows of one side that note what is read of them; `whole`: all of it is kept, no copy."""

    def __init__(self, windows: Windows, *, whole: bool) -> None:
        self.source, self.whole = windows, whole
        self.windows = windows._replace(read=self._read)
        """The same windows, for the sequence side to read."""
        self.parts: list[tuple[Tensor, Tensor, int]] = []
        """Numbers of windows that were read, their base codes or, where the whole is not kept, these in the columns that
        are looked at, and their width."""

    def _read(self, numbers: Tensor) -> Tensor:
        bases = self.source.read(numbers)
        self.parts.append((numbers, bases if self.whole else _looked_at(bases), bases.shape[1]))
        return bases

    def rows(self) -> np.ndarray | None:
        """Of each pair [B] the place of its window among those that were read, part after part; None where one was not, or
        where parts are of several widths."""
        if not self.parts or any(part[2] != self.parts[0][2] for part in self.parts[1:]):
            return None
        numbers, distinct = _joined([part[0].cpu().numpy() for part in self.parts]), self.source.distinct
        row: np.ndarray = self.source.row.cpu().numpy()
        if alike(numbers, np.arange(distinct)):
            return row
        place = np.full(distinct, -1)
        place[numbers] = np.arange(len(numbers))
        rows: np.ndarray = place[row]
        return None if np.count_nonzero(rows < 0) else rows

    def glimpse(self, rows: np.ndarray) -> np.ndarray:
        """uint8 [B, BASES] by pair, of these `rows`."""
        parts = (_columns_of(part[1]) if self.whole else part[1].cpu().numpy() for part in self.parts)
        return _joined([*parts]).take(rows, 0)

    @property
    def width(self) -> int:
        """L of what was read; there are `rows` of it."""
        return self.parts[0][2]

    def bases(self, row: int) -> np.ndarray:
        """Base codes [L] of what was read, where all of it is kept: one of the `rows`."""
        for numbers, bases, _ in self.parts:
            if row < len(numbers):
                kept = bases if bases.device.type == "cpu" else bases[row : row + 1].cpu()
                read: np.ndarray = kept.numpy()[row if bases.device.type == "cpu" else 0]
                return read
            row -= len(numbers)
        raise IndexError("no window was read for this pair")


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _looked_at(bases: Tensor) -> Tensor:
    """The columns that are looked at of base codes uint8 [M, L] as they enter the sequence side."""
    return bases.index_select(1, _columns_on(bases.shape[1], bases.device))


def _columns_of(bases: Tensor) -> np.ndarray:
    """The same in memory: without torch where they lie there, whose calls cost more than the work."""
    if bases.device.type != "cpu":
        return _looked_at(bases).cpu().numpy()
    return bases.numpy().take(_columns(bases.shape[1]), 1)


class Sequences:
    """The windows of a dataset by pair. Maps of files, of which only what is asked for is read."""

    def __init__(self, dataset: EncodedDataset) -> None:
        self.sides = tuple((windows, np.asarray(row)) for windows, row in dataset.inputs)
        self.looked = [(np.empty((len(w), BASES), np.uint8), np.zeros(len(w), bool)) for w, _ in self.sides]
        """Per side the glimpses of windows, and of which there is one yet."""

    def bases(self, pairs: np.ndarray) -> list[np.ndarray]:
        """What the bases of a `Glimpse` of pairs [B] have to be."""
        expected = []
        for (windows, row), (glimpses, known) in zip(self.sides, self.looked, strict=True):
            rows = row[pairs]
            if np.count_nonzero(known[rows]) < len(rows):
                new = rows[~known[rows]]
                glimpses[new], known[new] = windows[new[:, None], _columns(windows.shape[1])], True
            expected.append(glimpses[rows])
        return expected

    def whole(self, pair: int) -> list[np.ndarray]:
        """Both windows of a pair, uint8 [L]."""
        return [windows[row[pair]] for windows, row in self.sides]

    def are_read(
        self, sides: Sequence[ReadWindows], expected: Sequence[np.ndarray], pairs: np.ndarray, one: int
    ) -> bool:
        """Whether `sides`, all of which is kept, were read as expected: by a glimpse of each pair, and all of one."""
        for side, bases, whole in zip(sides, expected, self.whole(pairs[one]), strict=True):
            rows = side.rows()
            if rows is None or side.width != len(whole) or not alike(side.glimpse(rows), bases):
                return False
            if not alike(side.bases(rows[one]), whole):
                return False
        return True

    def is_read(self, expected: Sequence[np.ndarray], glimpses: Sequence[Glimpse | None]) -> bool:
        """Whether batches, one after the other, were of the expected sequences; None: one that was not read."""
        batches = [seen for seen in glimpses if seen is not None]
        sides = zip(self.sides, expected, zip(*batches, strict=True), strict=True)
        return len(batches) == len(glimpses) and all(
            all(width == windows.shape[1] for width, _ in parts)
            and alike(_joined([b for _, b in parts]), bases)
            for (windows, _), bases, parts in sides
        )


@cache
def _columns_on(width: int, device: torch.device) -> Tensor:
    return torch.from_numpy(_columns(width)).to(device)


@cache
def _columns(width: int) -> np.ndarray:
    return np.linspace(0, width - 1, BASES).round().astype(np.int64)
