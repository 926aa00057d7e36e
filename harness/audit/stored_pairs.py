"""Stored predictions name the pairs of their split, with the cell line and the label that the data have of each."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from harness.data.dataset import EncodedDataset


def strange_pairs(
    predictions: pd.DataFrame, dataset: EncodedDataset, pairs: Mapping[str, np.ndarray]
) -> Iterator[str]:
    """A sentence per split whose rows are not those of its `pairs`, each once, with the data's cell line and label."""
    for split, expected in pairs.items():
        rows = predictions[predictions["split"] == split]
        stored = rows["pair"].to_numpy()
        if not np.array_equal(np.sort(stored), np.sort(expected)):
            other = np.setdiff1d(stored, expected)
            named = f"pair {other[0]} is none of them" if len(other) else "some lack or stand twice"
            yield f"split {split}: the stored pairs are not those of the split, {named}"
            continue
        lines = np.asarray(dataset.cell_lines)[dataset.cell[stored]]
        for name, real in (("cell_line", lines), ("label", np.asarray(dataset.label)[stored])):
            wrong = rows[name].to_numpy() != real
            if wrong.any():
                at = int(np.argmax(wrong))
                told = f"{rows[name].iloc[at]} in place of {real[at]}"
                yield f"split {split}, pair {stored[at]}: its {name} is stored as {told}"
                break
