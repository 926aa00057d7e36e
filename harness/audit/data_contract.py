"""The data that a unit trains on are those of the encoded files, read once more and plainly."""

from collections.abc import Iterator

import numpy as np

from harness.audit.breach import Breach
from harness.data.dataset import EncodedDataset
from harness.trial.inspection import Subject

ROWS = 64
"""Windows of a side that are compared, from the first to the last."""


class DataContract:
    """Every column of the pairs, and some windows, as they are on disk."""

    def __init__(self, subject: Subject) -> None:
        self.dataset = subject.trainer.dataset

    def breaches(self) -> Iterator[Breach]:
        path, columns = self.dataset.path, vars(self.dataset)
        for name in EncodedDataset.COLUMNS:
            stored = np.load(path.parent / "pairs" / f"{name}.npy")
            if not np.array_equal(columns[name], stored):
                pair = int(np.argmax(columns[name] != stored)) if len(stored) == len(columns[name]) else 0
                text = f"{name} of the pairs is not what is stored in {path.parent}, as of pair {pair}"
                yield Breach(f"data {name}", "data", text)
        for side, row in (("enhancers", "enhancer_row"), ("promoters", "promoter_row")):
            windows = np.load(path / f"{side}.npy", mmap_mode="r")
            rows = np.linspace(0, len(windows) - 1, min(ROWS, len(windows))).round().astype(int)
            if columns[side].shape != windows.shape or not np.array_equal(columns[side][rows], windows[rows]):
                yield Breach(f"data {side}", "data", f"windows of {side} are not what is stored in {path}")
            content = np.load(path / f"{side}_content.npy")[columns[row]]
            if not np.array_equal(columns[f"{side[:-1]}_window"], content):
                yield Breach(
                    f"data {side} windows", "data", f"which windows of {side} are alike is not what is stored"
                )
