"""Encoded data against what was encoded, before anybody sees them: pairs in full, sequences and windows in part."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.data.bases import PAD
from harness.data.raw import RawDataset

LOOKED_AT = 256
"""Sequences and windows of a side that are compared, from the first to the last."""
LETTERS = np.array(["A", "C", "G", "T", "N"])


class EncodingError(RuntimeError):
    """What was written is not what was read: a fault of the code that encodes."""


def read_back(raw: RawDataset, folder: Path) -> None:
    """Compare the encoded dataset in `folder` with its source: label and cell line of all pairs, sequences of some.

    Raises EncodingError for the first difference.
    """
    pairs = raw.pairs.reset_index(drop=True)
    columns = {name: np.load(folder / "pairs" / f"{name}.npy") for name in ("label", "cell")}
    lines = np.asarray(json.loads((folder / "meta.json").read_text())["cell_lines"], dtype=object)
    read = {"label": columns["label"], "cell_line": lines[columns["cell"]]}
    for name, values in read.items():
        wrong = pairs[name].to_numpy() != values
        if wrong.any():
            at = int(np.argmax(wrong))
            raise EncodingError(
                f"pair {at}: its {name} was encoded as {values[at]}, and it is {pairs[name][at]}"
            )
    for side, table in (("enhancer", raw.enhancers), ("promoter", raw.promoters)):
        row = np.load(folder / "pairs" / f"{side}_row.npy")
        flat, offsets = _sequences(folder, f"{side}s")
        source = table.set_index("region")["sequence"]
        for at in _spread(len(pairs)):
            encoded = "".join(LETTERS[flat[offsets[row[at]] : offsets[row[at] + 1]]])
            if encoded != str(source.loc[pairs[side][at]]).upper():
                raise EncodingError(
                    f"pair {at}: its {side} {pairs[side][at]} was encoded as another sequence"
                )


def read_windows_back(dataset: Path, view: Path, *, crops: Mapping[str, int]) -> None:
    """Compare some windows in `view` with the sequences in `dataset`: of one that is too long the bases in the middle, of
    one that is too short all of them, and padding on the right.

    Raises EncodingError for the first difference.
    """
    for side, crop in crops.items():
        flat, offsets = _sequences(dataset, side)
        windows = np.load(view / f"{side}.npy", mmap_mode="r")
        width = min(crop, int(np.diff(offsets).max()))
        if windows.shape != (len(offsets) - 1, width):
            raise EncodingError(
                f"windows of {side} are {windows.shape}; expected {(len(offsets) - 1, width)}"
            )
        for at in _spread(len(windows)):
            whole = flat[offsets[at] : offsets[at + 1]]
            left = max(0, (len(whole) - width) // 2)
            window = np.full(width, PAD, dtype=np.uint8)
            window[: min(width, len(whole))] = whole[left : left + width]
            if not np.array_equal(windows[at], window):
                raise EncodingError(f"row {at} of {side}: its window is not the middle of its sequence")


def _sequences(folder: Path, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes of all sequences of a side, one after the other, and where each begins."""
    return np.load(folder / side / "bases.npy", mmap_mode="r"), np.load(folder / side / "offsets.npy")


def _spread(size: int) -> list[int]:
    return [int(at) for at in np.unique(np.linspace(0, size - 1, LOOKED_AT).round())]
