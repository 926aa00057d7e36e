"""How far apart the elements of evaluated pairs are, into a run's store: once per fold, since every unit has the same."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from analysis.schema import TABLES
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.store.writer import RunWriter


def write_pairs(dataset: EncodedDataset, folds: Sequence[Fold], run: Path) -> None:
    """Write RUN/pairs/<fold>.parquet of every fold that the run has none of: val_seen, val_unseen and test.

    Raises
    ------
    UserError
        for a fold that does not fit the dataset (see harness.data.folds.split).
    """
    for fold in folds:
        if not (run / "pairs" / f"{fold.id}.parquet").exists():
            RunWriter(run).write_table("pairs", fold.id, pairs_of(dataset, fold))


def pairs_of(dataset: EncodedDataset, fold: Fold) -> pa.Table:
    """The rows of a fold; a pair whose elements lie on two chromosomes has no distance."""
    splits, tables = split(dataset, fold), []
    for name in ("val_seen", "val_unseen", "test"):
        at = getattr(splits, name)
        gap = dataset.distance[at]
        columns = {
            "fold": pa.array([fold.id] * len(at)),
            "split": pa.array([name] * len(at)),
            "pair": pa.array(at, pa.int64()),
            "cell_line": pa.array([dataset.cell_lines[code] for code in dataset.cell[at]], pa.string()),
            "label": pa.array(dataset.label[at], pa.int8()),
            "distance": pa.array(gap, pa.int64(), mask=gap < 0),
        }
        tables.append(pa.table(columns, schema=TABLES["pairs"]))
    return pa.concat_tables(tables)
