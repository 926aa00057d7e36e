"""What the source's own split holds out, and what its parts share."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.data.dataset import EncodedDataset
from harness.data.folds import overlapping, sharing
from harness.shortcuts.loci import pair_loci

MOST = 0.05
"""Share of evaluated pairs above which what they share with training pairs is a fault of the split."""


class SourceSplit(NamedTuple):
    """A row per evaluated part (shares of its pairs), and the fault of the split, empty where it has none."""

    rows: list[dict[str, Any]]
    flag: str


def source_split(dataset: EncodedDataset) -> SourceSplit | None:
    """Of every evaluated part of the source's split: the share of pairs of which neither the cell line nor the chromosomes
    are new to training there (`nothing new`), of pairs whose elements overlap a training element in the same and in any
    cell line, that have the DNA of one, and that are a training pair's loci. None where the source has no split.

    `random_split`: nothing is new; `shared_loci`: the cell line is, the loci are not.
    """
    names = dataset.split_names
    train = np.asarray(dataset.given_split == names.index("train"))
    rows: list[dict[str, Any]] = []
    for name in names:
        part = np.asarray(dataset.given_split == names.index(name))
        if name == "train" or not part.any() or not train.any():
            continue
        same_line = np.zeros(len(dataset), dtype=bool)
        for code in range(len(dataset.cell_lines)):
            here = np.asarray(dataset.cell == code)
            same_line |= overlapping(dataset, part & here, train & here)
        loci = pair_loci(dataset)
        rows.append(
            {
                "part": name,
                "pairs": int(part.sum()),
                "nothing new": _share(_nothing_new(dataset, train), part),
                "element of training, same cell line": _share(same_line, part),
                "element of training, any cell line": _share(overlapping(dataset, part, train), part),
                "DNA of training": _share(
                    sharing(dataset.enhancer_content, dataset.promoter_content, part, train), part
                ),
                "loci of a training pair": _share(np.isin(loci, loci[train]), part),
            }
        )
    if not rows:
        return None
    if max(row["nothing new"] for row in rows) > MOST:
        return SourceSplit(rows, "random_split")
    shared = max(row["element of training, any cell line"] for row in rows) > MOST
    return SourceSplit(rows, "shared_loci" if shared else "")


def _nothing_new(dataset: EncodedDataset, train: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pairs [N] whose cell line has training pairs on both chromosomes that the elements lie on."""
    count = len(dataset.chromosomes)
    cell = np.asarray(dataset.cell, dtype=np.int64) * count
    places = [cell + np.asarray(chrom) for chrom in (dataset.chrom, dataset.promoter_chrom)]
    known = np.unique(np.concatenate([place[train] for place in places]))
    return np.isin(places[0], known) & np.isin(places[1], known)


def _share(mask: NDArray[np.bool_], part: NDArray[np.bool_]) -> float:
    return float(mask[part].mean())
