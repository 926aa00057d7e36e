"""A small dataset on disk in both layouts, for the tests of the readers, the store and the folds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

LINES = ("A549", "GM12878", "HMEC", "K562", "NHEK")


def small_tables(seed: int = 0, per_line: int = 16) -> dict[str, pd.DataFrame]:
    """Pairs of five cell lines on chr1, chr2, chr10 and chrX with their enhancers (60 to 99 bp) and promoters."""
    rng = np.random.default_rng(seed)
    pairs, enhancers, promoters = [], [], []
    for line in LINES:
        for i in range(per_line):
            chrom = ("chr1", "chr2", "chr10", "chrX")[i % 4]
            start = 10_000 * (i + 1) + 7 * LINES.index(line)
            e_bp, p_bp = (int(n) for n in rng.integers(60, 100, 2))
            enhancer = f"{line}|{chrom}:{start}-{start + e_bp}"
            promoter = f"{line}|{chrom}:{start + 3000}-{start + 3000 + p_bp}"
            enhancers.append((enhancer, "".join(rng.choice(list("ACGTNacgtn"), e_bp))))
            promoters.append((promoter, "".join(rng.choice(list("ACGT"), p_bp))))
            pairs.append((enhancer, promoter, line, (i // 4) % 2))
    return {
        "pairs": pd.DataFrame(pairs, columns=["enhancer", "promoter", "cell_line", "label"]),
        "enhancers": pd.DataFrame(enhancers, columns=["region", "sequence"]),
        "promoters": pd.DataFrame(promoters, columns=["region", "sequence"]),
    }


def change_cell(table: pd.DataFrame, row: int, column: str, change: Callable[[Any], Any]) -> None:
    """Put what `change` makes of a value in its place."""
    values = table[column].tolist()
    values[row] = change(values[row])
    table[column] = values


def write_parquet(root: Path, tables: dict[str, pd.DataFrame]) -> Path:
    """The tables as `../data/epi` has them."""
    root.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(root / f"{name}.parquet", index=False)
    return root


def write_prism(root: Path, tables: dict[str, pd.DataFrame]) -> Path:
    """The same in PRISM's layout: A549 and GM12878 in train, HMEC in val, K562 and NHEK in test."""
    for split, lines in (("train", LINES[:2]), ("val", LINES[2:3]), ("test", LINES[3:])):
        folder = root / split / "ALL"
        folder.mkdir(parents=True, exist_ok=True)
        pairs = tables["pairs"][tables["pairs"]["cell_line"].isin(lines)]
        named = pairs.rename(columns={"enhancer": "enhancer_name", "promoter": "promoter_name"})
        named[["enhancer_name", "promoter_name", "label", "cell_line"]].to_csv(
            folder / "pairs_hg19.csv", index=False
        )
        for side, file in (("enhancer", "e_seq.csv"), ("promoter", "p_seq.csv")):
            table = tables[f"{side}s"]
            table[table["region"].isin(pairs[side])].to_csv(folder / file, index=False)
    return root
