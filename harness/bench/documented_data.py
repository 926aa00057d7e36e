"""A generated dataset of documented size, of which only what is measured is written."""

import json
from pathlib import Path

import numpy as np

from harness.data.dataset import FORMAT, EncodedDataset

TRAINED, UNSEEN = 6, 8
"""Training and unseen cell lines."""
PAIRS_OF_TRAINING, PAIRS_OF_TEST = 145_534, 250_000
PER_ENHANCER, PER_PROMOTER = 1.12, 1.44
"""Pairs per distinct window, as in the six cell lines of TargetFinder's pairs."""
COLUMNS_OF_ZEROS: dict[str, type[np.signedinteger]] = {
    "chrom": np.int16, "promoter_chrom": np.int16, "distance": np.int64, "given_split": np.int8,
    "enhancer_content": np.int32, "promoter_content": np.int32, "enhancer_start": np.int64, "enhancer_end": np.int64,
    "promoter_start": np.int64, "promoter_end": np.int64,
}  # fmt: skip


def documented_data(
    folder: Path, measured: int, enhancer_bp: int, promoter_bp: int
) -> tuple[EncodedDataset, np.ndarray]:
    """The dataset below `folder`, and `measured` of its test pairs: all those of promoters by chance.

    Bases are random; windows that no measured pair has are holes in the file, which read as A from end to end.
    """
    rng = np.random.default_rng(0)
    total = PAIRS_OF_TRAINING + PAIRS_OF_TEST
    cell = np.empty(total, np.int16)
    cell[:PAIRS_OF_TRAINING] = np.arange(PAIRS_OF_TRAINING) % TRAINED
    cell[PAIRS_OF_TRAINING:] = TRAINED + np.arange(PAIRS_OF_TEST) % UNSEEN
    rows = {side: _rows(per, rng) for side, per in (("enhancer", PER_ENHANCER), ("promoter", PER_PROMOTER))}
    of_test = np.arange(PAIRS_OF_TRAINING, total)
    turn = rng.permutation(int(rows["promoter"].max()) + 1)
    by_promoter = of_test[np.argsort(turn[rows["promoter"][of_test]], kind="stable")]
    chosen = np.sort(by_promoter[:measured])
    pairs, view = folder / "pairs", folder / "windows"
    pairs.mkdir()
    view.mkdir()
    columns: dict[str, np.ndarray] = {
        "label": rng.integers(0, 2, total).astype(np.int8),
        "cell": cell,
        **{f"{side}_row": row for side, row in rows.items()},
        **{name: np.zeros(total, kind) for name, kind in COLUMNS_OF_ZEROS.items()},
    }
    for name, values in columns.items():
        np.save(pairs / f"{name}.npy", values)
    for side, width in (("enhancer", enhancer_bp), ("promoter", promoter_bp)):
        count = int(rows[side].max()) + 1
        shape = (count, width)
        windows = np.lib.format.open_memmap(view / f"{side}s.npy", mode="w+", dtype=np.uint8, shape=shape)
        here = np.unique(rows[side][chosen])
        windows[here] = rng.integers(0, 4, (len(here), width), dtype=np.uint8)
        windows.flush()
        np.save(view / f"{side}s_content.npy", np.zeros(count, np.int32))
    meta = {
        "format": FORMAT, "hash": "generated", "notes": [], "contradictory": {}, "chromosomes": ["chr1"],
        "cell_lines": [f"C{line + 1:02d}" for line in range(TRAINED + UNSEEN)], "split_names": ["train", "val", "test"],
        "feature_names": None, "features": None,
    }  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(meta))
    return EncodedDataset(view), chosen


def _rows(per: float, rng: np.random.Generator) -> np.ndarray:
    """A row of windows for every pair, `per` pairs each, none of both a training and a test pair."""
    first = round(PAIRS_OF_TRAINING / per)
    parts = [
        begin + rng.permutation(np.arange(pairs) % round(pairs / per))
        for begin, pairs in ((0, PAIRS_OF_TRAINING), (first, PAIRS_OF_TEST))
    ]
    return np.concatenate(parts).astype(np.int32)
