"""Folds and splits: nothing that is evaluated was trained on, by cell line and by interval."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from analysis.errors import UserError
from harness.config.blocks.block import Before
from harness.config.blocks.data import DataBlock, FoldBlock, SyntheticBlock
from harness.data.__main__ import describe
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, default_cell_lines, make_folds, overlapping, split
from harness.data.scarce import FEW, scarce
from harness.data.store import open_dataset
from tests.harness.small_data import change_cell, small_tables, write_parquet, write_prism

REAL = Path(__file__).parents[3] / "shared" / "data" / "epi"


def opened(root: Path, cache: Path) -> EncodedDataset:
    return open_dataset(DataBlock(root=root), enhancer_bp=60, promoter_bp=60, cache=cache, progress=False)


@pytest.fixture
def dataset(tmp_path: Path) -> EncodedDataset:
    return opened(write_parquet(tmp_path / "data", small_tables()), tmp_path / "cache")


def brute_overlaps(dataset: EncodedDataset, candidates: np.ndarray, against: np.ndarray) -> np.ndarray:
    """The definition, pair by pair and side by side."""

    def regions(i: int) -> list[tuple[int, int, int]]:
        return [
            (int(dataset.chrom[i]), int(dataset.enhancer_start[i]), int(dataset.enhancer_end[i])),
            (int(dataset.promoter_chrom[i]), int(dataset.promoter_start[i]), int(dataset.promoter_end[i])),
        ]

    other = [r for j in np.flatnonzero(against).tolist() for r in regions(j)]
    return np.array(
        [
            bool(candidates[i])
            and any(c == d and s < f and t < e for c, s, e in regions(i) for d, t, f in other)
            for i in range(len(dataset))
        ]
    )


class Intervals:
    """The columns of a dataset that overlap is decided by."""

    def __init__(self, rows: list[tuple[int, ...]]) -> None:
        table = np.array(rows).reshape(len(rows), 6)
        self.chromosomes = ["chr1", "chr2"]
        self.chrom, self.promoter_chrom = table[:, 0], table[:, 3]
        self.enhancer_start, self.enhancer_end = table[:, 1], table[:, 1] + table[:, 2]
        self.promoter_start, self.promoter_end = table[:, 4], table[:, 4] + table[:, 5]

    def __len__(self) -> int:
        return len(self.chrom)


element = (st.integers(0, 1), st.integers(0, 40), st.integers(1, 8))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(*element, *element), min_size=1, max_size=14), st.data())
def test_overlap_is_decided_by_interval(rows: list[tuple[int, ...]], data: st.DataObject) -> None:
    table = cast(EncodedDataset, Intervals(rows))
    flags = st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))
    candidates, against = np.array(data.draw(flags)), np.array(data.draw(flags))
    found = overlapping(table, candidates, against)
    np.testing.assert_array_equal(found, brute_overlaps(table, candidates, against))


def test_a_short_region_does_not_hide_a_long_one_before_it() -> None:
    table = cast(
        EncodedDataset, Intervals([(0, 0, 100, 1, 0, 1), (0, 20, 5, 1, 10, 1), (0, 50, 5, 1, 20, 1)])
    )
    asked, against = np.array([False, False, True]), np.array([True, True, False])
    assert overlapping(table, asked, against).tolist() == [False, False, True]


def test_the_splits_are_disjoint_and_what_the_fold_says(dataset: EncodedDataset) -> None:
    fold = Fold("f", test=("NHEK",), val=("HMEC",), chromosomes=("chr2",))
    parts = split(dataset, fold)
    every = [parts.train, parts.val_seen, parts.val_unseen, parts.test]
    joined = np.concatenate(every)
    assert len(set(joined)) == len(joined)
    assert len(joined) + sum(parts.dropped.values()) == len(dataset)
    held = dataset.chromosomes.index("chr2")
    assert (dataset.chrom[parts.train] != held).all()
    for evaluated in every[1:]:
        assert (dataset.chrom[evaluated] == held).all()
    lines = [sorted({dataset.cell_lines[c] for c in dataset.cell[part]}) for part in every]
    assert lines == [["A549", "GM12878", "K562"], ["A549", "GM12878", "K562"], ["HMEC"], ["NHEK"]]
    assert [len(part) for part in every] == [36, 12, 4, 4]


def test_a_pair_across_the_boundary_is_in_no_split(tmp_path: Path) -> None:
    """A training pair whose promoter lies on a held-out chromosome would leak it."""
    tables = small_tables()
    pairs = tables["pairs"]
    change_cell(pairs, 0, "promoter", lambda _: pairs["promoter"][1])
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    assert dataset.distance[0] == -1
    parts = split(dataset, Fold("f", ("NHEK",), ("HMEC",), ("chr2",)))
    for part in (parts.train, parts.val_seen, parts.val_unseen, parts.test):
        assert 0 not in part
    assert parts.dropped["elements on a held-out and on a training chromosome"] == 1


def test_default_cell_lines() -> None:
    assert default_cell_lines(["c", "a", "b"]) == (["a"], ["b"], ["c"])
    names = [f"C{i:02d}" for i in range(12)]
    assert default_cell_lines(names) == (names[:8], names[8:10], names[10:])


def test_the_default_fold_holds_out_about_a_quarter(dataset: EncodedDataset) -> None:
    fold = make_folds(dataset, DataBlock(root=Path("data")))[0]
    assert (fold.test, fold.val) == (("NHEK",), ("K562",))
    assert fold == make_folds(dataset, DataBlock(root=Path("data")))[0]
    held = np.isin(dataset.chrom, [dataset.chromosomes.index(name) for name in fold.chromosomes])
    assert held.mean() == pytest.approx(0.25)


def test_prism_keeps_its_own_test_cell_lines(tmp_path: Path) -> None:
    tables = small_tables()
    dataset = opened(write_prism(tmp_path / "data", tables), tmp_path / "cache")
    fold = make_folds(dataset, DataBlock(root=Path("data")))[0]
    assert (fold.test, fold.val) == (("K562", "NHEK"), ("HMEC",))


def test_a_split_by_chromosome_is_kept(tmp_path: Path) -> None:
    tables = small_tables()
    chrom = tables["pairs"]["enhancer"].str.extract(r"\|(chr\w+):")[0]
    tables["pairs"]["split"] = chrom.map({"chr1": "train", "chr2": "val", "chr10": "train", "chrX": "test"})
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    assert make_folds(dataset, DataBlock(root=Path("data")))[0].chromosomes == ("chr2", "chrX")


BAD_FOLDS = {
    "unknown cell line": (("NHEKK",), ("HMEC",), ("chr2",), "fold f.test: no cell line 'NHEKK'"),
    "unknown chromosome": (("NHEK",), ("HMEC",), ("chr20",), "did you mean 'chr2'?"),
    "test and val": (("NHEK",), ("NHEK",), ("chr2",), "cell line NHEK is in test and in val"),
    "no test": ((), ("NHEK",), ("chr2",), "fold f.test is empty; expected at least one cell line"),
    "no held-out chromosomes": (
        ("NHEK",),
        ("HMEC",),
        (),
        "fold f.chromosomes is empty; expected at least one",
    ),
    "nothing to train on": (("NHEK", "K562", "A549"), ("HMEC", "GM12878"), ("chr2",), "take all cell lines"),
    "all chromosomes": (("NHEK",), ("HMEC",), ("chr1", "chr2", "chr10", "chrX"), "takes all chromosomes"),
}


@pytest.mark.parametrize("case", BAD_FOLDS)
def test_bad_folds(case: str, dataset: EncodedDataset) -> None:
    test, val, chromosomes, expected = BAD_FOLDS[case]
    with pytest.raises(UserError) as raised:
        split(dataset, Fold("f", test, val, chromosomes))
    assert expected in str(raised.value)


def test_a_bad_fold_of_the_configuration_names_its_key(dataset: EncodedDataset) -> None:
    good = FoldBlock(test=["NHEK"], val=["HMEC"], chromosomes=["chr1"])
    bad = FoldBlock(test=["NHEK"], val=["HMEG"], chromosomes=["chr1"])
    block = DataBlock(root=Path("data"), folds=[good, bad])
    with pytest.raises(UserError, match=r"data\.folds\[1\]\.val: no cell line 'HMEG'.*did you mean 'HMEC'"):
        make_folds(dataset, block)
    other = FoldBlock(test=["HMEC"], val=["NHEK"], chromosomes=["chr1"])
    named = make_folds(dataset, DataBlock(root=Path("data"), folds=[good, other]))
    assert [fold.name for fold in named] == ["fold0", "fold1"]


def test_a_fold_is_its_content_and_equal_ones_are_one(dataset: EncodedDataset) -> None:
    one = FoldBlock(test=["NHEK", "A549"], val=["HMEC"], chromosomes=["chr1", "chr2"])
    same = FoldBlock(test=["A549", "NHEK"], val=["HMEC"], chromosomes=["chr2", "chr1", "chr1"])
    other = FoldBlock(test=["NHEK"], val=["HMEC"], chromosomes=["chr1", "chr2"])
    folds = make_folds(dataset, DataBlock(root=Path("data"), folds=[one, same, other]))
    assert [fold.name for fold in folds] == ["fold0", "fold2"], "the first name of a content stays"
    again = make_folds(dataset, DataBlock(root=Path("data"), folds=[other]))[0]
    assert again.id == folds[1].id != folds[0].id
    assert again.name == "fold0"
    assert re.fullmatch(r"f[0-9a-f]{10}", again.id)
    assert Fold.stored(again.content()) == again
    assert replace(again, settings='{"key": 1}').id != again.id, "what else decides the splits counts"
    assert replace(again, val=("GM12878",)).id != again.id
    assert replace(again, chromosomes=("chr2",)).id != again.id
    assert again.label == "fold0 (test NHEK; validation HMEC; held out chr1, chr2)"


def test_each_cell_line_is_test_once_on_the_same_chromosomes(dataset: EncodedDataset) -> None:
    folds = make_folds(dataset, DataBlock(root=Path("data"), folds="each cell line"))
    names = ["A549", "GM12878", "HMEC", "K562", "NHEK"]
    assert [(fold.name, fold.test, fold.val) for fold in folds] == [
        (name, (name,), (after,)) for name, after in zip(names, [*names[1:], "A549"], strict=True)
    ]
    default = make_folds(dataset, DataBlock(root=Path("data")))[0]
    assert {fold.chromosomes for fold in folds} == {default.chromosomes}
    assert len({fold.id for fold in folds}) == 5
    for fold in folds:
        parts = split(dataset, fold)
        lines = {
            name: set(np.array(dataset.cell_lines)[dataset.cell[rows]])
            for name, rows in vars(parts).items()
            if name != "dropped"
        }
        assert lines["test"] == set(fold.test)
        assert lines["val_unseen"] == set(fold.val)
        assert lines["train"] == set(names) - set(fold.test) - set(fold.val)


def test_named_chromosomes_are_held_out_by_every_fold(dataset: EncodedDataset) -> None:
    block = DataBlock(root=Path("data"), folds="each cell line", chromosomes=["2", "chrX"])
    folds = make_folds(dataset, block)
    assert {fold.chromosomes for fold in folds} == {("chr2", "chrX")}
    listed = FoldBlock(test=["HMEC"], val=["K562"], chromosomes=["chrX", "chr2"])
    (same,) = make_folds(dataset, DataBlock(root=Path("data"), folds=[listed]))
    assert same.id == folds[2].id, "a fold is its content, however it is asked for"
    (one,) = make_folds(dataset, DataBlock(root=Path("data"), chromosomes=["chr2"]))
    assert one.chromosomes == ("chr2",)
    with pytest.raises(UserError, match=r"data\.chromosomes: no chromosome 'chr20'.*did you mean 'chr2'"):
        make_folds(dataset, DataBlock(root=Path("data"), chromosomes=["chr20"]))
    with pytest.raises(ValueError, match=r"data\.chromosomes has no meaning beside a list of folds"):
        DataBlock(root=Path("data"), folds=[listed], chromosomes=["chr2"])


def test_new_data_key_is_part_of_a_fold_unless_at_value_before(
    dataset: EncodedDataset,
) -> None:
    class Later(DataBlock):
        margin: Annotated[int, Before(0)] = 500

    plain = make_folds(dataset, DataBlock(root=Path("data")))[0]
    assert make_folds(dataset, Later(root=Path("data"), margin=0))[0].id == plain.id
    assert make_folds(dataset, Later(root=Path("data")))[0].id != plain.id


def changed(tmp_path: Path, pairs: pd.DataFrame) -> EncodedDataset:
    return opened(write_parquet(tmp_path / "data", {**small_tables(), "pairs": pairs}), tmp_path / "cache")


def test_an_empty_split_and_a_one_class_split_are_refused(tmp_path: Path) -> None:
    pairs = small_tables()["pairs"]
    on_chr2 = pairs["enhancer"].str.contains("chr2:")
    fold = Fold("f", ("NHEK",), ("HMEC",), ("chr2",))
    none = changed(tmp_path / "a", pairs[~(on_chr2 & (pairs["cell_line"] == "NHEK"))])
    with pytest.raises(UserError, match="split test is empty: its cell lines have no pairs on chr2"):
        split(none, fold)
    single = changed(
        tmp_path / "b", pairs.assign(label=pairs["label"].mask(on_chr2 & (pairs["cell_line"] == "HMEC"), 1))
    )
    with pytest.raises(UserError, match=r"all 4 pairs of cell line HMEC in split val_unseen .* have label 1"):
        split(single, fold)


def test_too_few_cell_lines_or_chromosomes(tmp_path: Path) -> None:
    pairs = small_tables()["pairs"]
    two = changed(tmp_path / "a", pairs[pairs["cell_line"].isin(["A549", "HMEC"])])
    with pytest.raises(UserError, match="expected at least 3"):
        make_folds(two, DataBlock(root=Path("data")))
    one = changed(tmp_path / "b", pairs[pairs["enhancer"].str.contains("chr1:")])
    with pytest.raises(UserError, match="all pairs lie on chr1; expected at least 2"):
        make_folds(one, DataBlock(root=Path("data")))


def test_synthetic_labels_fill_every_split(tmp_path: Path) -> None:
    block = DataBlock(synthetic=SyntheticBlock(cell_lines=6, pairs_per_cell=40, chromosomes=4))
    dataset = open_dataset(block, enhancer_bp=200, promoter_bp=300, cache=tmp_path, progress=False)
    parts = split(dataset, make_folds(dataset, block)[0])
    assert [len(part) for part in (parts.train, parts.val_seen, parts.val_unseen, parts.test)] == [
        120,
        40,
        10,
        10,
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real pairs (../shared/data/epi) are not on this machine")
def test_the_real_pairs(tmp_path: Path) -> None:
    dataset = open_dataset(
        DataBlock(root=REAL), enhancer_bp=400, promoter_bp=1600, cache=tmp_path, progress=False
    )
    assert len(dataset) == 8314
    fold = make_folds(dataset, DataBlock(root=REAL))[0]
    assert fold.chromosomes == ("chr2", "chr7", "chr11", "chr16", "chr17", "chr22")
    assert (fold.val, fold.test) == (("K562",), ("NHEK",))
    parts = split(dataset, fold)
    evaluated = np.zeros(len(dataset), dtype=bool)
    evaluated[np.concatenate([parts.val_seen, parts.val_unseen, parts.test])] = True
    train = np.zeros(len(dataset), dtype=bool)
    train[parts.train] = True
    assert not overlapping(dataset, train, evaluated).any()
    assert [int(dataset.label[p].sum()) * 2 for p in (parts.train, parts.test)] == [
        len(parts.train),
        len(parts.test),
    ]


def test_hardly_any_positives_are_said(dataset: EncodedDataset) -> None:
    (fold,) = make_folds(dataset, DataBlock(root=Path("x"), folds="one"))
    inside = np.isin(dataset.chromosomes, fold.chromosomes)[dataset.chrom]
    said = list(scarce(dataset, [fold]))
    assert len(said) == len(fold.val) + len(fold.test)
    for part, name in [*(("val_unseen", name) for name in fold.val), *(("test", name) for name in fold.test)]:
        label = dataset.label[inside & (dataset.cell == dataset.cell_lines.index(name))]
        n, m = int(label.sum()), int((1 - label).sum())
        assert 1 < min(n, m) < FEW
        error = np.sqrt((n + m + 1) / (12 * n * m))
        assert (
            f"{fold.name}: {part} has {n} positives of {n + m} pairs of {name}, where an AUC by chance is 0.5 ± "
            f"{error:.2f}: too few to choose or compare by"
        ) in said


def test_the_error_of_a_chance_auc_is_that_of_draws() -> None:
    ranks = np.random.default_rng(0).permuted(np.tile(np.arange(12.0), (20_000, 1)), axis=1)[:, :3]
    drawn = (ranks.sum(1) - 3) / (3 * 9)  # Mann-Whitney of 3 positives among 12 without an order
    assert drawn.std() == pytest.approx(np.sqrt(13 / (12 * 3 * 9)), rel=0.02)


def test_counts_are_shown_before_a_split_is_refused(
    dataset: EncodedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (fold,) = make_folds(dataset, DataBlock(root=Path("x"), folds="one"))
    tables = small_tables()
    pairs = tables["pairs"]
    held = pairs["enhancer"].str.extract(r"\|(\w+):")[0].isin(fold.chromosomes) & (
        pairs["cell_line"] == fold.test[0]
    )
    pairs.loc[held, "label"] = 1
    write_parquet(tmp_path / "one label", tables)
    with pytest.raises(UserError, match="have label 1; expected both 0 and 1"):
        describe(
            str(tmp_path / "one label"),
            enhancer_bp=60,
            promoter_bp=60,
            cache=tmp_path / "cache",
            console=Console(),
        )
    assert "positive" in capsys.readouterr().out
