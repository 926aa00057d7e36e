"""Pairs, prevalence, lengths and unknown bases of a dataset, per cell line and part of the source's split."""

from typing import Any

import numpy as np

from harness.data.bases import PAD
from harness.data.dataset import EncodedDataset
from harness.shortcuts.loci import discordant


def line_counts(dataset: EncodedDataset) -> list[dict[str, Any]]:
    """A row per cell line and part of the source's split (`-` where it names none)."""
    lengths = {side: dataset.sequence_lengths(side) for side in ("enhancers", "promoters")}
    rows = []
    parts = [
        name for name in ("-", *dataset.split_names) if (dataset.given_split == _code(dataset, name)).any()
    ]
    for code, line in enumerate(dataset.cell_lines):
        for part in parts:
            here = np.flatnonzero((dataset.cell == code) & (dataset.given_split == _code(dataset, part)))
            if not len(here):
                continue
            enhancer, promoter = (
                lengths["enhancers"][dataset.enhancer_row[here]],
                lengths["promoters"][dataset.promoter_row[here]],
            )
            rows.append(
                {
                    "cell line": line,
                    "split": part,
                    "pairs": len(here),
                    "positive": float(dataset.label[here].mean()),
                    "enhancers": len(np.unique(dataset.enhancer_row[here])),
                    "promoters": len(np.unique(dataset.promoter_row[here])),
                    "enhancer bp": _span(enhancer),
                    "promoter bp": _span(promoter),
                    "distance, median kb": _median_kb(dataset.distance[here]),
                }
            )
    return rows


def facts(dataset: EncodedDataset) -> list[dict[str, Any]]:
    """What is true of the dataset as a whole, a row each: contradictory labels, unknown bases, repeated and discordant
    loci."""
    repeated, differing = discordant(dataset)
    rows = [
        ("pairs with both labels in one cell line, left out", str(sum(dataset.contradictory.values()))),
        ("characters other than A C G T N", "0 (refused at reading)"),
    ]
    for side in ("enhancers", "promoters"):
        windows = getattr(dataset, side)
        known = int((windows < PAD).sum())
        length = int(np.minimum(dataset.sequence_lengths(side), windows.shape[1]).sum())
        rows.append((f"unknown bases (N) in windows of {side}", f"{(length - known) / max(length, 1):.3%}"))
    rows.append(("pairs whose loci are a pair in other cell lines too", str(int(repeated.sum()))))
    rows.append(("of them with both labels over the lines (discordant)", str(int(differing.sum()))))
    return [{"what": what, "value": value} for what, value in rows]


def _code(dataset: EncodedDataset, part: str) -> int:
    return -1 if part == "-" else dataset.split_names.index(part)


def _span(lengths: np.ndarray) -> str:
    """`200 / 250 / 3000`: shortest, median, longest."""
    return f"{lengths.min()} / {int(np.median(lengths))} / {lengths.max()}"


def _median_kb(distance: np.ndarray) -> float:
    """NaN where all pairs lie across chromosomes."""
    known = distance[distance >= 0]
    return float(np.median(known)) / 1000 if len(known) else float("nan")
