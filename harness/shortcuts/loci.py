"""Where elements lie: places that overlap are one locus, in whatever cell line."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.data.dataset import EncodedDataset

Numbers = NDArray[np.int64]


def locus_numbers(chrom: np.ndarray, start: np.ndarray, end: np.ndarray) -> Numbers:
    """One number per chain of overlapping intervals (half-open) [N]: 0, 1, ... in order of the genome."""
    order = np.lexsort((start, chrom))
    numbers = np.empty(len(order), dtype=np.int64)
    number, reach, before = -1, -1, -1
    for at, c, s, e in zip(order.tolist(), chrom[order], start[order], end[order], strict=True):
        if c != before or s >= reach:
            number, reach, before = number + 1, int(e), int(c)
        reach = max(reach, int(e))
        numbers[at] = number
    return numbers


def side_loci(dataset: EncodedDataset, side: str) -> Numbers:
    """Locus [N] of every pair's `enhancer` or `promoter`."""
    if side == "enhancer":
        return locus_numbers(dataset.chrom, dataset.enhancer_start, dataset.enhancer_end)
    return locus_numbers(dataset.promoter_chrom, dataset.promoter_start, dataset.promoter_end)


def pair_loci(dataset: EncodedDataset) -> Numbers:
    """One number [N] per pair of loci."""
    enhancer, promoter = side_loci(dataset, "enhancer"), side_loci(dataset, "promoter")
    return enhancer * (int(promoter.max()) + 1) + promoter


def discordant(dataset: EncodedDataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pairs [N] whose loci are a pair in other cell lines too, and those of them that have both labels over the lines."""
    table = pd.DataFrame(
        {"locus": pair_loci(dataset), "cell": np.asarray(dataset.cell), "label": np.asarray(dataset.label)}
    )
    groups = table.groupby("locus")
    repeated = (groups["cell"].transform("nunique") > 1).to_numpy(bool)
    lines = table.groupby(["locus", "cell"])["label"].mean().groupby("locus")
    differs = (lines.max() - lines.min() > 0).reindex(table["locus"]).to_numpy(bool)
    return repeated, repeated & differs
