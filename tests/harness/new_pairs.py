"""Pairs of an encoded dataset written as somebody's own files: a Parquet folder, and a BEDPE file with a genome."""

from pathlib import Path

import numpy as np
import pandas as pd

from harness.data.dataset import EncodedDataset


def write_folder(root: Path, dataset: EncodedDataset, pairs: np.ndarray) -> Path:
    """The pairs, in their order, with sequences and features of their cell lines."""
    root.mkdir()
    names = dataset.pair_names(pairs)
    names.assign(label=dataset.label[pairs]).to_parquet(root / "pairs.parquet")
    for side, read, rows in (
        ("enhancer", dataset.enhancer_sequence, dataset.enhancer_row),
        ("promoter", dataset.promoter_sequence, dataset.promoter_row),
    ):
        table = pd.DataFrame({"region": names[side], "sequence": [read(int(row)) for row in rows[pairs]]})
        table.drop_duplicates("region").to_parquet(root / f"{side}s.parquet")
    if dataset.features is not None:
        assert dataset.feature_names is not None
        pd.DataFrame(
            [
                (line, name, value)
                for line in set(names["cell_line"])
                for name, value in zip(dataset.feature_names, dataset.features[line], strict=True)
            ],
            columns=["cell_line", "feature", "value"],
        ).to_parquet(root / "cell_features.parquet")
    return root


def write_genome(file: Path, contigs: dict[str, str], width: int = 50) -> Path:
    """A FASTA file with lines of `width` bases."""
    lines = []
    for name, bases in contigs.items():
        lines += [f">{name} of a test", *(bases[at : at + width] for at in range(0, len(bases), width))]
    file.write_text("\n".join(lines) + "\n")
    return file


def bases(length: int, seed: int = 0) -> str:
    """Random DNA."""
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length))
