"""Read a dataset folder: PRISM's CSV layout, the same tables as Parquet, or BEDPE with a FASTA."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.errors import UserError
from analysis.nearest_path import nearest_path
from analysis.spelt import cell_line_word
from harness.data.check import SPLIT_NAMES, check_classes, check_features, check_known, merge_sequences
from harness.data.parts import BEDPE_FILES, CSV_FILES, PARQUET_FILES, Parts, parts_of
from harness.data.raw import RawDataset
from harness.data.region import parse_regions
from harness.data.repeats import settle
from harness.data.spelling import (
    chromosome_word_of,
    patches_note,
    refuse_alike,
    refuse_reserved,
    spellings_note,
)
from harness.data.table import check_file, read_parquet, rows_of

FEATURES = "cell_features.parquet"
SIDES = ("enhancer", "promoter")
READING = 3
"""Version of what reading makes of the files (normalising, dropping); part of the content hash of a folder."""


def input_files(root: Path) -> dict[str, Path]:
    """The files of the dataset below `root` by their relative name, cell features included when they are
    there.

    A folder with any of pairs, enhancers and promoters as Parquet is read as Parquet; one with pairs.bedpe as that
    with genome.fa; one with train/, val/ or test/ as PRISM's layout.

    Raises UserError when `root` is not a folder, has none of the layouts, or lacks a file of the one it has.
    """
    if not root.is_dir():
        raise UserError(
            f"data.root: {root} is not a folder; expected a dataset folder{nearest_path(root, Path.is_dir)}"
        )
    if any(os.path.lexists(root / name) for name in PARQUET_FILES):
        names = list(PARQUET_FILES)
    elif os.path.lexists(root / BEDPE_FILES[0]):
        names = list(BEDPE_FILES)
    elif any((root / split).is_dir() for split in SPLIT_NAMES):
        names = [f"{split}/ALL/{name}" for split in SPLIT_NAMES for name in CSV_FILES]
    else:
        there = ", ".join(sorted(entry.name for entry in root.iterdir())[:12]) or "nothing"
        raise UserError(
            f"{root} is not a dataset: expected pairs.parquet, enhancers.parquet and promoters.parquet, or "
            f"train/ALL, val/ALL and test/ALL with {', '.join(CSV_FILES)}, or {' and '.join(BEDPE_FILES)} (there: {there})"
        )
    for name in names:
        if not os.path.lexists(root / name):
            raise UserError(f"{root / name} is missing; expected {', '.join(names)} in {root}")
    if os.path.lexists(root / FEATURES):
        names.append(FEATURES)
    files = {name: root / name for name in names}
    for file in files.values():
        check_file(file)
    return files


def layout_notes(root: Path) -> list[str]:
    """One sentence where `root` holds several layouts, of which one is read."""
    others = [f"{split}/ALL" for split in SPLIT_NAMES if (root / split / "ALL").is_dir()]
    layouts = [
        [name for name in names if os.path.lexists(root / name)] for names in (PARQUET_FILES, BEDPE_FILES[:1])
    ]
    there = [names for names in (*layouts, others) if names]
    if len(there) < 2:
        return []
    left = [name for names in there[1:] for name in names]
    return [
        f"{'both' if len(there) == 2 else 'three'} layouts are there: {', '.join(there[0])} "
        f"{'are' if len(there[0]) > 1 else 'is'} read, and {', '.join(left)} {'are' if len(left) > 1 else 'is'} not"
    ]


def read(root: Path, *, drop_contradictions: bool = False) -> RawDataset:
    """Read and check the dataset below `root`, in one of its layouts.

    In PRISM's layout a pair's `split` is the folder it comes from, and its regions must be in that folder's
    tables. Chromosomes are normalised and repeated pairs dropped; `notes` of the result says how many.

    Raises UserError for every bad input (see `harness.data.check`, `spelling` and `repeats`).
    """
    files = input_files(root)
    return assembled(
        parts_of(files), root, features=files.get(FEATURES), drop_contradictions=drop_contradictions
    )


def assembled(
    read_parts: Parts,
    root: Path,
    *,
    features: Path | None,
    labelled: bool = True,
    drop_contradictions: bool = False,
) -> RawDataset:
    """One dataset of the parts that were read below `root`, with `features` of its cell lines; what is said of it and what
    it raises are as `read` says. Without `labelled` labels are not judged.
    """
    parts, table = read_parts.parts, read_parts.pairs
    pair_tables = [pairs for pairs, _, _ in parts]
    regions = {side: parse_regions(table[side]) for side in SIDES}
    _check_names(table["cell_line"], [regions[side]["chrom"] for side in SIDES], rows_of(pair_tables))
    for pairs, enhancers, promoters in parts:
        check_known(pairs, "enhancer", enhancers)
        check_known(pairs, "promoter", promoters)
    sequences = {
        "enhancer": merge_sequences([enhancers for _, enhancers, _ in parts]),
        "promoter": merge_sequences([promoters for _, _, promoters in parts]),
    }
    notes = [*read_parts.notes]
    notes += spellings_note([table[f"written_{side}"] for side in SIDES], [table[side] for side in SIDES])
    notes += patches_note([regions[side]["chrom"] for side in SIDES])
    identity = table[["cell_line"]].copy()
    for side in SIDES:
        content = _content(sequences[side])
        identity[[f"{side}_{key}" for key in regions[side]]] = regions[side]
        identity[f"{side}_content"] = table[side].map(content["number"]).to_numpy()
        notes += _interval_notes(side, table[side], regions[side], content)
    settled = settle(
        table,
        identity.rename(columns={"enhancer_chrom": "chrom"}),
        rows_of(pair_tables),
        rows_of(pair_tables, root),
        drop_contradictions=drop_contradictions,
    )
    if labelled:
        check_classes(settled.pairs, pair_tables)
    described = None
    if features is not None:
        every = read_parquet(features)
        described = check_features(every, sorted(set(table["cell_line"])))
        notes += _feature_notes(described, every.frame["cell_line"])
    return RawDataset(
        pairs=settled.pairs.drop(columns=[f"written_{side}" for side in SIDES]),
        enhancers=sequences["enhancer"],
        promoters=sequences["promoter"],
        cell_features=described,
        notes=(*notes, *settled.notes),
        contradictory=settled.contradictory,
    )


def _check_names(cell_lines: pd.Series, chromosomes: Sequence[pd.Series], at: Callable[[int], str]) -> None:
    """Refuse cell lines and chromosomes that only their spelling tells apart, and names that tables use."""
    refuse_reserved(cell_lines, at)
    refuse_alike(cell_lines, at, what="cell line", word=cell_line_word)
    both = pd.concat(chromosomes, ignore_index=True)
    refuse_alike(
        both, lambda row: at(row % len(cell_lines)), what="chromosome", word=chromosome_word_of(both.unique())
    )


def _content(table: pd.DataFrame) -> pd.DataFrame:
    """`number` (equal sequences share one, either case) and `length` in bp of each region, which is the index."""
    sequence = table["sequence"].str.upper().to_numpy(dtype=object)
    columns = {"number": pd.factorize(sequence)[0], "length": np.array([len(text) for text in sequence])}
    return pd.DataFrame(columns, index=pd.Index(table["region"], dtype=object))


def _interval_notes(side: str, names: pd.Series, regions: pd.DataFrame, content: pd.DataFrame) -> list[str]:
    """Regions whose coordinates disagree with their sequences, or that have several, with the counts."""
    used = regions.assign(name=names.to_numpy()).drop_duplicates("name")
    used_content = content.loc[used["name"]]
    notes = []
    length = used_content["length"].to_numpy()
    span = (used["end"] - used["start"]).to_numpy()
    differs = length != span
    if differs.any():
        first = int(np.argmax(differs))
        closed = int((length == span + 1).sum())
        hint = f"; {closed} are 1 bp longer, as where coordinates include their end" if closed else ""
        notes.append(
            f"{side}s whose sequence has another length than their coordinates: {differs.sum()} of {len(used)} (the "
            f"first is {used['name'].iloc[first]} with {length[first]} instead of {span[first]} bp{hint}); overlaps are "
            "decided by the coordinates"
        )
    several = (
        used.assign(number=used_content["number"].to_numpy())
        .groupby(["chrom", "start", "end"])["number"]
        .nunique()
    )
    if (several > 1).any():
        chrom, start, end = several.index[int(np.argmax(several > 1))]
        notes.append(
            f"{side} intervals with several sequences under different names: {(several > 1).sum()} (the first is "
            f"{chrom}:{start}-{end})"
        )
    return notes


def _feature_notes(features: pd.DataFrame, cell_lines: pd.Series) -> list[str]:
    """How many features some cell line lacks, and how many rows are of `cell_lines` [rows] without pairs: both are not
    used."""
    names = cell_lines.astype(str).str.strip()
    strangers = sorted(set(names) - set(features["cell_line"]))
    notes = []
    if strangers:
        notes.append(
            f"features not used because their cell line has no pairs: {names.isin(strangers).sum()} rows of "
            f"{len(strangers)} cell lines (the first is {strangers[0]})"
        )
    lines = features.groupby("feature")["cell_line"].nunique()
    lacking = lines.index[lines < features["cell_line"].nunique()]
    if len(lacking):
        notes.append(
            f"features not used because some cell line lacks them: {len(lacking)} of {len(lines)} (the first is "
            f"{lacking[0]})"
        )
    return notes
