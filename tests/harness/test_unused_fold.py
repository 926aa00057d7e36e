"""A fold that selection did not use, and how far apart the pairs of a fold are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.errors import UserError
from analysis.store import Run
from harness.config.blocks.data import DataBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds, split
from harness.data.pair_table import write_pairs
from harness.data.store import open_dataset
from harness.data.unused_fold import unused_fold
from tests.harness.small_data import LINES, change_cell, small_tables, write_parquet


def opened(folder: Path, tables: dict[str, pd.DataFrame]) -> EncodedDataset:
    block = DataBlock(root=write_parquet(folder / "data", tables))
    return open_dataset(block, enhancer_bp=60, promoter_bp=60, cache=folder / "cache", progress=False)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return opened(tmp_path_factory.mktemp("unused"), small_tables())


def test_its_loci_and_lines_are_new(dataset: EncodedDataset) -> None:
    (used,) = make_folds(dataset, DataBlock(root=Path("data")))
    left = unused_fold(dataset, [used])
    fold = left.fold
    assert not set(fold.chromosomes) & set(used.chromosomes)
    assert not {*fold.test, *fold.val} & {*used.test, *used.val}
    assert (fold.test, fold.val) == (("HMEC",), ("GM12878",))
    before, now = split(dataset, used), split(dataset, fold)
    evaluated = np.concatenate([before.val_seen, before.val_unseen, before.test])
    assert not np.isin(np.concatenate([now.val_unseen, now.test]), evaluated).any()
    assert "nothing was chosen by them" in left.notes[0]
    assert len(left.notes) == 1


def test_lines_that_all_were_used_are_said(dataset: EncodedDataset) -> None:
    folds = make_folds(dataset, DataBlock(root=Path("data"), folds="each cell line"))
    left = unused_fold(dataset, folds)
    assert not set(left.fold.chromosomes) & set(folds[0].chromosomes)
    assert "validation of the selection on other loci" in left.notes[1]


def test_lines_only_reported_on_go_before_those_chosen_by(dataset: EncodedDataset) -> None:
    used = [Fold("f", (line,), LINES[:2], ("chr1",)) for line in LINES[2:]]
    left = unused_fold(dataset, used)
    assert left.fold.test == ("NHEK",)
    assert left.notes[1] == "test cell line NHEK: only reported on by the selection"


def test_without_a_chromosome_left_it_is_refused(dataset: EncodedDataset) -> None:
    used = [Fold("f", ("NHEK",), ("HMEC",), (name,)) for name in dataset.chromosomes]
    with pytest.raises(UserError, match=r"hold out all 4 chromosomes.*leave at least one chromosome out"):
        unused_fold(dataset, used)


def test_lines_that_lack_a_class_are_passed_over(tmp_path: Path) -> None:
    tables = small_tables()
    elsewhere = ~tables["pairs"]["enhancer"].str.contains("chr1:")
    for row in np.flatnonzero((tables["pairs"]["cell_line"] == "HMEC") & elsewhere):
        change_cell(tables["pairs"], int(row), "label", lambda _: 1)
    left = unused_fold(opened(tmp_path, tables), [Fold("f", ("NHEK",), ("K562",), ("chr1",))])
    assert "HMEC" not in (*left.fold.test, *left.fold.val)


def test_distances_are_stored_once_per_fold(tmp_path: Path, dataset: EncodedDataset) -> None:
    folds = make_folds(dataset, DataBlock(root=Path("data")))
    write_pairs(dataset, folds, tmp_path)
    write_pairs(dataset, folds, tmp_path)
    (file,) = (tmp_path / "pairs").iterdir()
    assert file.name == f"{folds[0].id}.parquet"
    rows = Run(tmp_path).table("pairs")
    parts = split(dataset, folds[0])
    assert set(rows["pair"]) == {*parts.val_seen, *parts.val_unseen, *parts.test}
    at = rows["pair"].to_numpy()
    np.testing.assert_array_equal(rows["distance"], dataset.distance[at])
    np.testing.assert_array_equal(rows["label"], dataset.label[at])
    assert set(rows.loc[rows["split"] == "test", "cell_line"]) == {"NHEK"}
