"""Write a checked dataset to disk as encoded arrays."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.data.arrays import new_array, save_array
from harness.data.bases import cut_windows, decode_bases, encode_bases, strand_free_hash
from harness.data.check import SPLIT_NAMES
from harness.data.dataset import FORMAT
from harness.data.raw import RawDataset
from harness.data.region import parse_regions
from harness.data.repeats import same_dna_notes

Start = Callable[[str, int], Callable[[int], None]]
"""Begin a stretch of progress (what, number of rows) and get the function that is told of rows done."""


def encode(raw: RawDataset, folder: Path, *, hash: str, start: Start) -> None:
    """Encode every distinct sequence once (uint8, lossless up to case) and the pairs as index columns, into `folder`,
    which the caller makes visible to others only when this returns. Regions that no pair uses are left out.
    """
    pairs = raw.pairs.reset_index(drop=True)
    (folder / "pairs").mkdir(parents=True)
    enhancer, promoter = parse_regions(pairs["enhancer"]), parse_regions(pairs["promoter"])
    chromosomes = sorted({*enhancer["chrom"], *promoter["chrom"]}, key=natural)
    cell_lines = sorted(set(pairs["cell_line"]))
    code = {name: i for i, name in enumerate(chromosomes)}
    cell = {name: i for i, name in enumerate(cell_lines)}
    split = {name: i for i, name in enumerate(SPLIT_NAMES)}
    source_split = (
        pairs["split"].map(split).fillna(-1) if "split" in pairs else pd.Series(-1, index=pairs.index)
    )
    enhancers = _encode_side(raw.enhancers, pairs["enhancer"], folder / "enhancers", start)
    promoters = _encode_side(raw.promoters, pairs["promoter"], folder / "promoters", start)
    # One number per DNA over both sides: an enhancer may be the promoter of another pair.
    content = pd.factorize(np.asarray([*enhancers.hash, *promoters.hash], dtype=object))[0].astype(np.int32)
    columns = {
        "label": pairs["label"].to_numpy(np.int8),
        "cell": pairs["cell_line"].map(cell).to_numpy(np.int16),
        "chrom": enhancer["chrom"].map(code).to_numpy(np.int16),
        "promoter_chrom": promoter["chrom"].map(code).to_numpy(np.int16),
        "given_split": source_split.to_numpy(np.int8),
        "enhancer_row": enhancers.row,
        "promoter_row": promoters.row,
        "enhancer_content": content[: len(enhancers.hash)][enhancers.row],
        "promoter_content": content[len(enhancers.hash) :][promoters.row],
        "enhancer_start": enhancer["start"].to_numpy(np.int64),
        "enhancer_end": enhancer["end"].to_numpy(np.int64),
        "promoter_start": promoter["start"].to_numpy(np.int64),
        "promoter_end": promoter["end"].to_numpy(np.int64),
    }
    columns["distance"] = (
        pairs["distance"].to_numpy(np.int64) if "distance" in pairs else _gap(enhancer, promoter)
    )
    notes = same_dna_notes(*(columns[n] for n in ("cell", "enhancer_content", "promoter_content", "label")))
    for name, values in columns.items():
        save_array(folder / "pairs" / f"{name}.npy", values)
    pairs[["enhancer", "promoter"]].to_parquet(folder / "names.parquet", index=False)
    feature_names, features = _features(raw.cell_features, cell_lines)
    meta = {
        "format": FORMAT,
        "hash": hash,
        "notes": [*raw.notes, *notes],
        "contradictory": raw.contradictory,
        "cell_lines": cell_lines,
        "chromosomes": chromosomes,
        "split_names": list(SPLIT_NAMES),
        "feature_names": feature_names,
        "features": features,
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def write_windows(dataset: Path, view: Path, *, crops: Mapping[str, int], start: Start) -> None:
    """Cut the windows of both sides of an encoded `dataset` folder into `view`; `crops` in bp by side.

    Matrices uint8 [M, L] with L = min(crop, longest sequence present), so that a dataset of short sequences
    is not padded to a crop it never fills. Beside them one number per DNA in a window, over both sides, int32 [M].
    """
    view.mkdir(parents=True)
    hashes: dict[str, list[bytes]] = {side: [] for side in crops}
    for side, crop in crops.items():
        flat = np.load(dataset / side / "bases.npy", mmap_mode="r")
        offsets = np.load(dataset / side / "offsets.npy")
        width = int(min(crop, np.diff(offsets).max()))
        rows = len(offsets) - 1
        advance = start(f"cutting {side}", rows)
        with new_array(view / f"{side}.npy", np.uint8, (rows, width)) as append:
            for windows in cut_windows(flat, offsets, width):
                append(windows)
                hashes[side] += [strand_free_hash(decode_bases(window)) for window in windows]
                advance(len(windows))
    every = [one for side in crops for one in hashes[side]]
    content = pd.factorize(np.asarray(every, dtype=object))[0].astype(np.int32)
    ends = np.cumsum([len(hashes[side]) for side in crops])
    for side, numbers in zip(crops, np.split(content, ends[:-1]), strict=True):
        save_array(view / f"{side}_content.npy", numbers)


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which chr2 comes before chr10 and numbers before letters."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part
    ]


class _Side(NamedTuple):
    """row int32 [N] of each pair's sequence; hash, of the DNA in each row."""

    row: np.ndarray
    hash: list[bytes]


def _encode_side(
    table: pd.DataFrame, used: pd.Series, folder: Path, start: Start, chunk: int = 2048
) -> _Side:
    """Encode the regions that `used` [N] names."""
    folder.mkdir()
    region, which = np.unique(used.to_numpy(dtype=object).astype(str), return_inverse=True)
    sequences = table.set_index("region")["sequence"].loc[region].str.upper()
    row_of_region, distinct = pd.factorize(sequences.to_numpy(dtype=object))
    offsets = np.zeros(len(distinct) + 1, dtype=np.int64)
    np.cumsum([len(s) for s in distinct], out=offsets[1:])
    advance = start(f"encoding {folder.name}", len(distinct))
    hashes: list[bytes] = []
    with new_array(folder / "bases.npy", np.uint8, (int(offsets[-1]),)) as append:
        for first in range(0, len(distinct), chunk):
            part = list(distinct[first : first + chunk])
            append(encode_bases(part))
            hashes += [strand_free_hash(sequence) for sequence in part]
            advance(len(part))
    save_array(folder / "offsets.npy", offsets)
    return _Side(row_of_region[which].astype(np.int32), hashes)


def _gap(enhancer: pd.DataFrame, promoter: pd.DataFrame) -> np.ndarray:
    """bp between two elements, 0 when they touch or overlap, -1 on different chromosomes."""
    before = (enhancer["start"] - promoter["end"]).to_numpy(np.int64)
    after = (promoter["start"] - enhancer["end"]).to_numpy(np.int64)
    same = (enhancer["chrom"] == promoter["chrom"]).to_numpy(bool)
    return np.where(same, np.maximum(np.maximum(before, after), 0), -1)


def _features(
    table: pd.DataFrame | None, cell_lines: list[str]
) -> tuple[list[str] | None, dict[str, list[float]] | None]:
    """v_c of every cell line over the features that all of them have."""
    if table is None:
        return None, None
    wide = table[table["cell_line"].isin(cell_lines)].pivot_table(
        index="cell_line", columns="feature", values="value", aggfunc="first"
    )
    wide = wide.reindex(cell_lines).dropna(axis=1)
    values = wide.to_numpy(dtype=float)
    names = [str(name) for name in wide.columns]
    return names, {cell: row.tolist() for cell, row in zip(cell_lines, values, strict=True)}
