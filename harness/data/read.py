"""Read a dataset folder: PRISM's CSV layout or the same tables as Parquet."""

from pathlib import Path

import pandas as pd

from harness.data.check import (
    SPLIT_NAMES,
    check_classes,
    check_features,
    check_known,
    check_pairs,
    check_sequences,
    merge_sequences,
)
from harness.data.raw import RawDataset
from harness.data.table import read_csv, read_parquet
from harness.errors import UserError

CSV_FILES = ("pairs_hg19.csv", "e_seq.csv", "p_seq.csv")
PARQUET_FILES = ("pairs.parquet", "enhancers.parquet", "promoters.parquet")
FEATURES = "cell_features.parquet"


def input_files(root: Path) -> dict[str, Path]:
    """The files of the dataset below `root` by their relative name, cell features included when they are
    there.

    A folder with any of pairs, enhancers and promoters as Parquet is read as Parquet; one with train/, val/
    or test/ as PRISM's layout.

    Raises UserError when `root` is not a folder, has neither layout, or lacks a file of the one it has.
    """
    if not root.is_dir():
        raise UserError(f"data.root: {root} is not a folder; expected a dataset folder")
    if any((root / name).exists() for name in PARQUET_FILES):
        names = list(PARQUET_FILES)
    elif any((root / split).is_dir() for split in SPLIT_NAMES):
        names = [f"{split}/ALL/{name}" for split in SPLIT_NAMES for name in CSV_FILES]
    else:
        there = ", ".join(sorted(entry.name for entry in root.iterdir())[:12]) or "nothing"
        raise UserError(
            f"{root} is not a dataset: expected pairs.parquet, enhancers.parquet and promoters.parquet, or "
            f"train/ALL, val/ALL and test/ALL with {', '.join(CSV_FILES)} (there: {there})"
        )
    for name in names:
        if not (root / name).is_file():
            raise UserError(f"{root / name} is missing; expected {', '.join(names)} in {root}")
    if (root / FEATURES).is_file():
        names.append(FEATURES)
    return {name: root / name for name in names}


def read(root: Path) -> RawDataset:
    """Read and check the dataset below `root`; the layouts are those of 02-data.md.

    In PRISM's layout a pair's `split` is the folder it comes from, and its regions must be in that folder's
    tables.

    Raises UserError for every bad input (see `harness.data.check`).
    """
    files = input_files(root)
    if "pairs.parquet" in files:
        pairs = check_pairs(read_parquet(files["pairs.parquet"]))
        enhancers = check_sequences(read_parquet(files["enhancers.parquet"]))
        promoters = check_sequences(read_parquet(files["promoters.parquet"]))
        parts = [(pairs, enhancers, promoters)]
        table = pairs.frame
    else:
        parts = [
            (
                check_pairs(read_csv(files[f"{split}/ALL/pairs_hg19.csv"])),
                check_sequences(read_csv(files[f"{split}/ALL/e_seq.csv"])),
                check_sequences(read_csv(files[f"{split}/ALL/p_seq.csv"])),
            )
            for split in SPLIT_NAMES
        ]
        named = zip(SPLIT_NAMES, parts, strict=True)
        frames = [pairs.frame.assign(split=split) for split, (pairs, _, _) in named]
        table = pd.concat(_same_columns(frames), ignore_index=True)
    for pairs, enhancers, promoters in parts:
        check_known(pairs, "enhancer", enhancers)
        check_known(pairs, "promoter", promoters)
    check_classes(table, [pairs for pairs, _, _ in parts])
    features = None
    if FEATURES in files:
        features = check_features(read_parquet(files[FEATURES]), sorted(set(table["cell_line"])))
    return RawDataset(
        pairs=table,
        enhancers=merge_sequences([enhancers for _, enhancers, _ in parts]),
        promoters=merge_sequences([promoters for _, _, promoters in parts]),
        cell_features=features,
        origin=str(root),
    )


def _same_columns(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Keep `distance` only where every split has it; else it is computed from the coordinates."""
    if all("distance" in frame for frame in frames):
        return frames
    return [frame.drop(columns="distance", errors="ignore") for frame in frames]
