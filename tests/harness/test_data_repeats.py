"""Repeats count once, contradictions are refused or dropped, and neither moves the default fold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.errors import UserError
from harness.config.blocks.data import DataBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.data.store import content_hash, open_dataset
from tests.harness.small_data import small_tables, write_parquet, write_prism


def opened(root: Path, cache: Path, **keys: object) -> EncodedDataset:
    block = DataBlock.model_validate({"root": root, **keys})
    return open_dataset(block, enhancer_bp=60, promoter_bp=60, cache=cache, progress=False)


def default_fold(dataset: EncodedDataset) -> Fold:
    return make_folds(dataset, DataBlock(root=Path("data")))[0]


def with_rows(tables: dict[str, pd.DataFrame], rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {**tables, "pairs": pd.concat([tables["pairs"], rows], ignore_index=True)}


def on(tables: dict[str, pd.DataFrame], chromosome: str) -> pd.DataFrame:
    """All pairs on a chromosome, three times over: enough to move a default that counts rows."""
    pairs = tables["pairs"]
    return pd.concat([pairs[pairs["enhancer"].str.contains(f"{chromosome}:")]] * 3)


@pytest.fixture
def plain(tmp_path: Path) -> EncodedDataset:
    return opened(write_parquet(tmp_path / "plain", small_tables()), tmp_path / "cache")


@pytest.mark.parametrize("chromosome", ["chr1", "chr10", "chrX"])
def test_repeats_are_dropped_counted_and_move_nothing(
    chromosome: str, plain: EncodedDataset, tmp_path: Path
) -> None:
    tables = small_tables()
    rows = on(tables, chromosome)
    rows["enhancer"] = rows["enhancer"].str.replace("chr", "CHR")
    again = opened(write_parquet(tmp_path / "again", with_rows(tables, rows)), tmp_path / "cache")
    assert len(again) == len(plain) == 80
    assert again.label.tolist() == plain.label.tolist()
    assert again.pair_names(np.arange(80)).equals(plain.pair_names(np.arange(80)))
    assert default_fold(again) == default_fold(plain)
    first = tables["pairs"].index[tables["pairs"]["enhancer"].str.contains(f"{chromosome}:")][0] + 1
    assert again.notes[-1] == (
        "repeated pairs dropped: 60 rows with enhancer, promoter, cell line and label of an earlier one (the first is "
        f"pairs.parquet, row 81, as pairs.parquet, row {first})"
    )


def contradictory(chromosome: str) -> dict[str, pd.DataFrame]:
    """The last eight pairs on a chromosome are stated again with the other label."""
    tables = small_tables()
    rows = on(tables, chromosome).iloc[-8:]
    return with_rows(tables, rows.assign(label=1 - rows["label"]))


def test_a_contradiction_is_refused_with_its_rows(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "data", contradictory("chr1"))
    with pytest.raises(UserError) as raised:
        opened(root, tmp_path / "cache")
    sentence = str(raised.value)
    assert sentence.startswith(
        f"{root}/pairs.parquet, row 49 (label 0) and {root}/pairs.parquet, row 81 (label 1): "
    )
    assert "have both labels in cell line K562 (and 7 more pairs have); expected one label" in sentence
    assert "data.contradictions: drop" in sentence
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_contradictions_across_files_name_both_files(tmp_path: Path) -> None:
    root = write_prism(tmp_path / "data", small_tables())
    line = (root / "train/ALL/pairs_hg19.csv").read_text().splitlines()[1]
    assert line.endswith(",0,A549")
    for name in ("e_seq.csv", "p_seq.csv"):
        rows = (root / "train/ALL" / name).read_text().splitlines()[1:]
        with (root / "val/ALL" / name).open("a") as file:
            file.write("\n".join(rows) + "\n")
    with (root / "val/ALL/pairs_hg19.csv").open("a") as file:
        file.write(line.replace(",0,A549", ",1,A549") + "\n")
    with pytest.raises(
        UserError, match=r"train/ALL/pairs_hg19.csv, line 2 \(label 0\) and .*val/ALL/.*, line 18 \(label 1\)"
    ):
        opened(root, tmp_path / "cache")


@pytest.mark.parametrize("chromosome", ["chr1", "chr2", "chr10", "chrX"])
def test_contradictions_dropped_on_request_move_nothing(
    chromosome: str, plain: EncodedDataset, tmp_path: Path
) -> None:
    root = write_parquet(tmp_path / "data", contradictory(chromosome))
    dataset = opened(root, tmp_path / "cache", contradictions="drop")
    assert len(dataset) == 72
    assert dataset.contradictory == {chromosome: 8}
    assert dataset.notes == [
        "contradictory pairs dropped: 8 pairs (16 rows) with both labels in one cell line"
    ]
    assert default_fold(dataset) == default_fold(plain)


def test_what_is_dropped_is_part_of_the_content_hash(tmp_path: Path) -> None:
    """Else a start that refuses would find the store of one that drops."""
    root = write_parquet(tmp_path / "data", contradictory("chr1"))
    assert content_hash(DataBlock(root=root)) != content_hash(DataBlock(root=root, contradictions="drop"))
    opened(root, tmp_path / "cache", contradictions="drop")
    with pytest.raises(UserError, match="have both labels"):
        opened(root, tmp_path / "cache")


def test_a_cell_line_of_contradictions_alone_is_refused(tmp_path: Path) -> None:
    tables = small_tables()
    rows = tables["pairs"][tables["pairs"]["cell_line"] == "HMEC"]
    root = write_parquet(tmp_path / "data", with_rows(tables, rows.assign(label=1 - rows["label"])))
    with pytest.raises(UserError, match="row 33: all pairs of cell line HMEC have contradictory labels"):
        opened(root, tmp_path / "cache", contradictions="drop")


def test_a_repeat_in_another_split_moves_no_default(tmp_path: Path) -> None:
    tables = small_tables()
    chrom = tables["pairs"]["enhancer"].str.extract(r"\|(chr\w+):")[0]
    tables["pairs"]["split"] = chrom.map({"chr1": "train", "chr2": "val", "chr10": "train", "chrX": "test"})
    plain = opened(write_parquet(tmp_path / "plain", tables), tmp_path / "cache")
    assert default_fold(plain).chromosomes == ("chr2", "chrX")
    rows = tables["pairs"].iloc[[0, 1]].assign(split=["test", "train"])
    dataset = opened(write_parquet(tmp_path / "data", with_rows(tables, rows)), tmp_path / "cache")
    assert default_fold(dataset) == default_fold(plain)
    assert "repeated pairs that stood in several splits of the source: 2" in dataset.notes


def test_the_same_place_in_another_cell_line_is_no_repeat(tmp_path: Path) -> None:
    tables = small_tables()
    rows = tables["pairs"].iloc[[0, 5]].assign(cell_line="NHEK", label=[1, 0])
    dataset = opened(write_parquet(tmp_path / "data", with_rows(tables, rows)), tmp_path / "cache")
    assert len(dataset) == 82
    assert dataset.notes == []


def test_contradictions_act_on_a_folder_only() -> None:
    with pytest.raises(ValueError, match=r"data\.contradictions: drop acts on the pairs of data\.root"):
        DataBlock.model_validate({"synthetic": {}, "contradictions": "drop"})


@pytest.mark.parametrize(("relabelled", "opposite"), [(0, 0), (2, 4)])
def test_the_same_dna_under_other_names_is_counted_and_kept(
    relabelled: int, opposite: int, tmp_path: Path
) -> None:
    """Three pairs of K562 again at other places, one of them on the other strand, some with the other label."""
    tables = small_tables()
    rows = tables["pairs"][tables["pairs"]["cell_line"] == "K562"].head(3).copy()
    for side in ("enhancer", "promoter"):
        own = tables[f"{side}s"].set_index("region")["sequence"].loc[rows[side]].str.upper().to_list()
        own[2] = own[2][::-1].translate(str.maketrans("ACGT", "TGCA"))
        rows[side] = [name.replace(":", ":1").replace("-", "-1") for name in rows[side]]
        more = pd.DataFrame({"region": rows[side].to_list(), "sequence": own})
        tables[f"{side}s"] = pd.concat([tables[f"{side}s"], more], ignore_index=True)
    rows["label"] = [
        1 - label if number < relabelled else label for number, label in enumerate(rows["label"])
    ]
    dataset = opened(write_parquet(tmp_path / "data", with_rows(tables, rows)), tmp_path / "cache")
    assert len(dataset) == 83
    assert dataset.notes[-1:] == [
        f"pairs with the DNA of another pair of their cell line under other region names: 6 of 83, {opposite} of them with "
        "the opposite label; all are kept, as different places may have equal DNA"
    ]


def test_the_same_dna_in_another_cell_line_is_no_repeat(tmp_path: Path) -> None:
    tables = small_tables()
    rows = tables["pairs"].head(3).assign(cell_line="NHEK")
    assert opened(write_parquet(tmp_path / "data", with_rows(tables, rows)), tmp_path / "cache").notes == []
