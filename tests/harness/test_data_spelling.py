"""Names: one chromosome has one spelling, and two cell lines never differ by spelling alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.errors import UserError
from analysis.spelt import cell_line_word
from harness.config.blocks.data import DataBlock, FoldBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds, split
from harness.data.region import normal_regions, parse_regions
from harness.data.spelling import chromosome_word, chromosome_word_of, normal_chromosome
from harness.data.store import open_dataset
from tests.harness.small_data import change_cell, small_tables, write_parquet, write_prism

LINES = ("A549", "GM12878", "HMEC", "K562", "NHEK")


def opened(root: Path, cache: Path) -> EncodedDataset:
    return open_dataset(DataBlock(root=root), enhancer_bp=60, promoter_bp=60, cache=cache, progress=False)


NORMAL = {
    "chr1": ("chr1", "Chr1", "CHR1", "chr01", "chr001", "1", "01", "ｃｈｒ１"),
    "chr10": ("chr10", "10", "cHr010"),
    "chrX": ("chrX", "chrx", "x", "X"),
    "chrM": ("chrM", "chrMT", "MT", "mt"),
    "chr2L": ("2L", "chr2l"),
    "chrXVI": ("chrXVI", "xvi"),
    "NC_000002.11": ("NC_000002.11", "nc_000002.11", "chrNC_000002.11"),
    "chrun_gl000220": ("chrUn_gl000220", "CHRUN_GL000220"),
}


@pytest.mark.parametrize("normal", NORMAL)
def test_chromosomes_have_one_spelling(normal: str) -> None:
    assert {normal_chromosome(name) for name in NORMAL[normal]} == {normal}
    assert normal_chromosome(normal) == normal


def test_region_names_are_normalised_and_others_left_alone() -> None:
    names = pd.Series(["K562|Chr01:0100-200", "7:5-9", "chr5:1-2", "GM12878|chrx:3-4", "GATA1", "a|b"])
    assert normal_regions(names).tolist() == [
        "K562|chr1:100-200", "chr7:5-9", "chr5:1-2", "GM12878|chrX:3-4", "GATA1", "a|b",
    ]  # fmt: skip


def test_positions_that_cannot_be_are_no_regions() -> None:
    names = [
        "chr1:1-2147483647",
        "chr1:1-2147483648",
        "chr1:1-" + "9" * 24,
        "chr1:" + "9" * 24 + "-3",
        "chr:1-2",
    ]
    assert parse_regions(pd.Series(names))["end"].tolist() == [2147483647, -1, -1, -1, -1]


def test_words_join_spellings_and_keep_chromosomes_apart() -> None:
    assert {chromosome_word(name) for name in ("chr1", "chr_1", "chromosome1", "chr1.0", "chr-01")} == {"1"}
    apart = [
        "chr1",
        "chr11",
        "chr1_1",
        "chrX",
        "chrL",
        "NC_000067.6",
        "CM000994.2",
        "chrUn_gl1",
        "chromo",
        "chr10",
        "chr1_gl000191_random",
    ]
    assert len({chromosome_word(name) for name in apart}) == len(apart)
    assert {cell_line_word(name) for name in ("HeLa-S3", "helas3", "HeLa S3", "HELA_S3\u200b")} == {"helas3"}


def respelt(name: str, row: int) -> str:
    """Every spelling of a chromosome in turn."""
    chrom = name.split("|")[1].split(":")[0][3:]
    spelling = (f"chr{chrom}", f"Chr{chrom}", f"CHR{chrom.lower()}", f"chr0{chrom}", chrom)[row % 5]
    return name.replace(f"chr{chrom}:", f"{spelling if chrom != 'X' else spelling.replace('0', '')}:")


def test_spellings_change_nothing_but_a_note(tmp_path: Path) -> None:
    """Splits, default fold and names of a data set whose chromosomes are spelt in five ways."""
    tables = small_tables()
    plain = opened(write_parquet(tmp_path / "plain", tables), tmp_path / "cache")
    for side in ("enhancer", "promoter"):
        names = [respelt(name, row) for row, name in enumerate(tables["pairs"][side])]
        tables["pairs"][side] = names
    mixed = opened(write_parquet(tmp_path / "mixed", tables), tmp_path / "cache")
    assert mixed.chromosomes == plain.chromosomes == ["chr1", "chr2", "chr10", "chrX"]
    fold = make_folds(mixed, DataBlock(root=Path("data")))[0]
    assert fold == make_folds(plain, DataBlock(root=Path("data")))[0]
    for part in ("train", "val_seen", "val_unseen", "test"):
        assert getattr(split(mixed, fold), part).tolist() == getattr(split(plain, fold), part).tolist()
    assert mixed.pair_names(np.arange(80)).equals(plain.pair_names(np.arange(80)))
    assert plain.notes == []
    assert len(mixed.notes) == 1
    assert mixed.notes[0].startswith("chromosomes normalised in 120 region names: Chr2 as chr2 (8), ")


def test_cell_line_spelt_otherwise_does_not_hide_an_overlap(tmp_path: Path) -> None:
    """The enhancers of every cell line at the same places, one training line writing Chr: nothing leaks."""
    tables = small_tables()
    one = tables["pairs"][tables["pairs"]["cell_line"] == "NHEK"]
    shared = pd.concat(
        [one.assign(cell_line=line, label=one["label"].to_numpy()) for line in LINES], ignore_index=True
    )
    mine = shared["cell_line"] == "A549"
    for side in ("enhancer", "promoter"):
        renamed = shared[side].str.replace("chr", "Chr")
        table = tables[f"{side}s"]
        tables[f"{side}s"] = pd.concat(
            [table, table.assign(region=table["region"].str.replace("chr", "Chr"))], ignore_index=True
        )
        shared[side] = shared[side].where(~mine, renamed)
    tables["pairs"] = shared
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    parts = split(dataset, make_folds(dataset, DataBlock(root=Path("data")))[0])
    trained = set(dataset.enhancer_row[parts.train])
    for evaluated in (parts.val_seen, parts.val_unseen, parts.test):
        assert len(evaluated)
        assert not trained & set(dataset.enhancer_row[evaluated])


def test_a_fold_may_spell_its_chromosomes_otherwise(tmp_path: Path) -> None:
    dataset = opened(write_parquet(tmp_path / "data", small_tables()), tmp_path / "cache")
    block = FoldBlock(test=["NHEK"], val=["HMEC"], chromosomes=["Chr02", "2", "x"])
    fold = make_folds(dataset, DataBlock(root=Path("data"), folds=[block]))[0]
    assert fold.chromosomes == ("chr2", "chrX")


def pairs_with(change: dict[tuple[int, str], str]) -> dict[str, pd.DataFrame]:
    tables = small_tables()
    for (row, column), value in change.items():
        tables["pairs"].loc[row, column] = value
    return tables


REFUSED = {
    "cell lines of two spellings": (
        {(3, "cell_line"): "a-549"},
        "row 4: cell line 'a-549' is 'A549' in another spelling ({root}/pairs.parquet, row 1); expected one",
    ),
    "a mean's name": ({(2, "cell_line"): "Macro"}, "row 3: cell line 'Macro' has a name that the result tables use"),
    "the pool's name": ({(2, "cell_line"): "pooled"}, "row 3: cell line 'pooled' has a name that the result tables"),
    "a line break": ({(2, "cell_line"): "K\n562"}, r"row 3: cell line 'K\n562' has a character that cannot be printed"),
    "punctuation alone": ({(2, "cell_line"): "--"}, "row 3: cell line '--' has no letter or digit"),
    "24 digits": (
        {(5, "enhancer"): "chr1:100-" + "1" * 24},
        f"row 6: enhancer 'chr1:100-{'1' * 24}' has coordinates beyond any chromosome; expected positions of at most",
    ),
    "end before start": (
        {(5, "promoter"): "K|chr1:900-100"},
        "row 6: promoter 'K|chr1:900-100' ends before it begins or is empty; expected the end after the start",
    ),
    "negative start": ({(5, "promoter"): "chr1:-9-100"}, "row 6: promoter 'chr1:-9-100' has no coordinates"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_names_that_cannot_be_are_refused(case: str, tmp_path: Path) -> None:
    change, expected = REFUSED[case]
    root = write_parquet(tmp_path / "data", pairs_with(change))
    with pytest.raises(UserError) as raised:
        opened(root, tmp_path / "cache")
    assert expected.format(root=root) in str(raised.value)


def test_chromosomes_that_cannot_be_joined_are_refused_by_file(tmp_path: Path) -> None:
    root = write_prism(tmp_path / "data", small_tables())
    for name in ("pairs_hg19.csv", "e_seq.csv"):
        file = root / "test/ALL" / name
        file.write_text(file.read_text().replace("K562|chr2:", "K562|chr_2:"))
    with pytest.raises(UserError) as raised:
        opened(root, tmp_path / "cache")
    assert str(raised.value) == (
        f"{root}/test/ALL/pairs_hg19.csv, line 3: chromosome 'chr_2' is 'chr2' in another spelling "
        f"({root}/train/ALL/pairs_hg19.csv, line 3); expected one spelling per chromosome, and names that differ in "
        "letters or digits"
    )


WORDS = {
    "2": ("chr2", "chrII", "chr_ii", "NC_000002.11", "NC_000002.12", "CM000664.1"),
    "16": ("16", "chrXVI", "NC_000016.9", "CM000678.2"),
    "x": ("chrX", "chr23", "NC_000023.10", "CM000685.2"),
    "y": ("chrY", "chr24", "NC_000024.9", "CM000686.2"),
    "m": ("chrM", "MT", "chr26", "NC_012920.1"),
    "10": ("chr10", "NC_000010.10"),
    "9": ("chrIX", "chr9"),
}


@pytest.mark.parametrize("word", WORDS)
def test_chromosomes_by_other_systems_of_names_share_their_word(word: str) -> None:
    assert {chromosome_word(normal_chromosome(name)) for name in WORDS[word]} == {word}


def test_a_species_with_many_chromosomes_has_a_23rd_beside_its_x() -> None:
    dog = chromosome_word_of(["chr1", "chr23", "chrX", "chr38"])
    assert (dog("chr23"), dog("chrX"), dog("chr1")) == ("23", "x", "1")
    assert chromosome_word_of(["chr1", "chr23", "chrX"])("chr23") == "x"


@pytest.mark.parametrize(
    ("chrom", "name", "beside"),
    [
        ("chr2", "NC_000002.11", "chr2"),
        ("chr2", "chrII", "chr2"),
        ("chrX", "chr23", "chrX"),
        ("chrX", "CM000685.1", "chrX"),
    ],
)
def test_two_systems_of_chromosome_names_are_refused_with_rows(
    chrom: str, name: str, beside: str, tmp_path: Path
) -> None:
    tables = small_tables()
    for side in ("enhancer", "promoter"):
        tables["pairs"][side] = tables["pairs"][side].str.replace(f"K562|{chrom}:", f"K562|{name}:")
        names = tables[f"{side}s"]["region"]
        tables[f"{side}s"]["region"] = names.str.replace(f"K562|{chrom}:", f"K562|{name}:")
    first = {"chr2": 2, "chrX": 4}[chrom]
    root = write_parquet(tmp_path / "data", tables)
    with pytest.raises(UserError) as raised:
        opened(root, tmp_path / "cache")
    assert str(raised.value).startswith(
        f"{root}/pairs.parquet, row {48 + first}: chromosome '{name}' is '{beside}' in another spelling "
        f"({root}/pairs.parquet, row {first}); expected one spelling per chromosome"
    )


def test_accessions_alone_are_chromosomes_like_any(tmp_path: Path) -> None:
    tables = small_tables()
    for table, columns in (
        ("pairs", ["enhancer", "promoter"]),
        ("enhancers", ["region"]),
        ("promoters", ["region"]),
    ):
        for column in columns:
            for number, chrom in (("01", "chr1"), ("02", "chr2"), ("10", "chr10"), ("23", "chrX")):
                accession = f"NC_0000{number}.10:"
                tables[table][column] = tables[table][column].str.replace(f"{chrom}:", accession)
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    assert dataset.chromosomes == ["NC_000001.10", "NC_000002.10", "NC_000010.10", "NC_000023.10"]
    assert dataset.notes == []


def test_patches_beside_their_chromosome_are_counted(tmp_path: Path) -> None:
    tables = small_tables()
    for line, name in (
        ("K562", "chr2_cox_hap2"),
        ("NHEK", "chr2_KI270768v1_alt"),
        ("HMEC", "chrUn_gl000220"),
    ):
        for side in ("enhancer", "promoter"):
            old, new = f"{line}|chr2:", f"{line}|{name}:"
            tables["pairs"][side] = tables["pairs"][side].str.replace(old, new)
            tables[f"{side}s"]["region"] = tables[f"{side}s"]["region"].str.replace(old, new)
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    assert dataset.notes[-1] == (
        "elements on haplotypes, alternate or unplaced sequences and patches of a chromosome that is there as well: 16 "
        "on 2 (the first is chr2_cox_hap2 beside chr2); they are taken for chromosomes of their own, and no overlap is "
        "seen between them"
    )
    assert not any("haplotypes" in note for note in dataset.notes[:-1])


def test_features_are_matched_as_pairs_are_named(tmp_path: Path) -> None:
    tables = small_tables()
    rows = [(f" {line} ", " CTCF", 1.0 * number) for number, line in enumerate(LINES)]
    tables["cell_features"] = pd.DataFrame(rows, columns=["cell_line", "feature", "value"])
    dataset = opened(write_parquet(tmp_path / "good", tables), tmp_path / "cache")
    assert dataset.feature_names == ["CTCF"]
    assert dataset.features is not None
    assert sorted(dataset.features) == sorted(LINES)
    tables["cell_features"].loc[1, "cell_line"] = "gm-12878"
    with pytest.raises(
        UserError, match="row 2: a cell line is called 'gm-12878' in the features and 'GM12878' in"
    ):
        opened(write_parquet(tmp_path / "bad", tables), tmp_path / "cache")


def test_a_length_that_disagrees_is_said_once_with_its_count(tmp_path: Path) -> None:
    tables = small_tables()
    for row in (4, 5):
        change_cell(tables["enhancers"], row, "sequence", lambda sequence: sequence + "A")
    change_cell(tables["enhancers"], 6, "sequence", lambda sequence: sequence + "ACGT")
    dataset = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache")
    name, bp = tables["enhancers"]["region"][4], len(tables["enhancers"]["sequence"][4])
    assert dataset.notes == [
        f"enhancers whose sequence has another length than their coordinates: 3 of 80 (the first is {name} with {bp} "
        f"instead of {bp - 1} bp; 2 are 1 bp longer, as where coordinates include their end); overlaps are decided by "
        "the coordinates"
    ]
