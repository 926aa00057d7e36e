"""The tables of a dataset folder, in whichever of its layouts: pairs with the sequences of their regions, part by part."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from harness.data.bedpe import read_bedpe
from harness.data.check import SPLIT_NAMES, check_pairs, check_sequences
from harness.data.fasta import Fasta
from harness.data.genome import sequences_of
from harness.data.table import PairTable, read_csv, read_parquet

CSV_FILES = ("pairs_hg19.csv", "e_seq.csv", "p_seq.csv")
PARQUET_FILES = ("pairs.parquet", "enhancers.parquet", "promoters.parquet")
BEDPE_FILES = ("pairs.bedpe", "genome.fa")


class Part(NamedTuple):
    """Checked pairs and the checked sequences of their regions."""

    pairs: PairTable
    enhancers: PairTable
    promoters: PairTable


class Parts(NamedTuple):
    """The parts of a dataset; the pairs of all of them one below the other, with `split` where the layout says it; what is
    to be said of how they were read."""

    parts: list[Part]
    pairs: pd.DataFrame
    notes: list[str]


def parts_of(files: Mapping[str, Path], *, labelled: bool = True) -> Parts:
    """Read the files of a folder (relative name -> path); without `labelled` labels are not looked at, and are -1."""
    if "pairs.bedpe" in files:
        return of_genome(
            check_pairs(read_bedpe(files["pairs.bedpe"], labelled=labelled), labelled=labelled),
            Fasta(files["genome.fa"]),
        )
    if "pairs.parquet" in files:
        part = Part(
            check_pairs(read_parquet(files["pairs.parquet"]), labelled=labelled),
            check_sequences(read_parquet(files["enhancers.parquet"])),
            check_sequences(read_parquet(files["promoters.parquet"])),
        )
        return Parts([part], part.pairs.frame, [])
    parts = [
        Part(
            check_pairs(read_csv(files[f"{split}/ALL/pairs_hg19.csv"]), labelled=labelled),
            check_sequences(read_csv(files[f"{split}/ALL/e_seq.csv"])),
            check_sequences(read_csv(files[f"{split}/ALL/p_seq.csv"])),
        )
        for split in SPLIT_NAMES
    ]
    frames = [part.pairs.frame.assign(split=split) for split, part in zip(SPLIT_NAMES, parts, strict=True)]
    return Parts(parts, pd.concat(_same_columns(frames), ignore_index=True), [])


def of_genome(pairs: PairTable, fasta: Fasta) -> Parts:
    """Checked pairs with their sequences from a FASTA."""
    sequences = sequences_of(pairs, fasta)
    part = Part(pairs, check_sequences(sequences.enhancers), check_sequences(sequences.promoters))
    return Parts([part], pairs.frame, sequences.notes)


def _same_columns(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Keep `distance` only where every split has it; else it is computed from the coordinates."""
    if all("distance" in frame for frame in frames):
        return frames
    return [frame.drop(columns="distance", errors="ignore") for frame in frames]
