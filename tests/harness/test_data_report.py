"""`python -m harness.data report`: counts, and shortcuts that are flagged where they were made and nowhere else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data_signs import FILE as SIGNS
from analysis.errors import UserError
from harness.baselines.features import PairFeatures
from harness.config.blocks.data import DataBlock
from harness.data.dataset import EncodedDataset
from harness.data.store import open_dataset
from harness.shortcuts import fold_scores
from harness.shortcuts.in_run import write_signs
from harness.shortcuts.loci import discordant, locus_numbers
from harness.shortcuts.report import MEANING, _with_values
from harness.shortcuts.scorers import on_folds
from harness.shortcuts.source_split import source_split
from harness.shortcuts.telltales import LIMIT, of_source, telltales
from harness.shortcuts.words import spoken
from tests.analysis.test_language import english, words_of
from tests.harness.command import command
from tests.harness.test_baselines import EPI

LINES = ("A", "B", "C")
Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


def honest(seed: int = 0) -> pd.DataFrame:
    """900 pairs of three cell lines on six chromosomes, a promoter in three of each line, labels by chance."""
    rng, rows = np.random.default_rng(seed), []
    for line in LINES:
        for at in range(300):
            chrom, promoter = f"chr{at % 6 + 1}", 1_000_000 * (at // 18 + 1)
            gap = int(rng.integers(5_000, 200_000))
            start = promoter + 400 + gap
            rows.append(
                (f"{chrom}:{start}-{start + 60}", f"{chrom}:{promoter}-{promoter + 80}", line, chrom, gap)
            )
    table = pd.DataFrame(rows, columns=["enhancer", "promoter", "cell_line", "chrom", "distance"])
    return table.assign(label=rng.integers(0, 2, len(table)))


def by_chromosome(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return table.assign(split=np.where(table["chrom"].isin(["chr1", "chr2"]), "test", "train"))


def at_random(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return table.assign(split=rng.choice(["train", "train", "test"], len(table)))


def by_distance(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return table.assign(label=(table["distance"] < 100_000) ^ (rng.random(len(table)) < 0.2))


def by_promoter(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    prone = rng.random(len(LINES) * 6 * 20) < 0.5
    code = table.groupby(["cell_line", "promoter"]).ngroup().to_numpy()
    return table.assign(label=prone[code] ^ (rng.random(len(table)) < 0.15))


def opened(folder: Path, *changes: Change) -> EncodedDataset:
    rng, table = np.random.default_rng(1), honest()
    for change in changes:
        table = change(table, rng)
    folder.mkdir()
    table.drop(columns="chrom").assign(label=table["label"].astype(int)).to_parquet(folder / "pairs.parquet")
    for side, length in (("enhancer", 60), ("promoter", 80)):
        regions = table[side].unique()
        dna = ["".join(rng.choice(list("ACGT"), length)) for _ in regions]
        pd.DataFrame({"region": regions, "sequence": dna}).to_parquet(folder / f"{side}s.parquet")
    block = DataBlock(root=folder, contradictions="drop")
    return open_dataset(block, enhancer_bp=60, promoter_bp=80, cache=folder.parent / "cache", progress=False)


def flags(dataset: EncodedDataset) -> set[str]:
    sharing = source_split(dataset)
    raised = {tale.flag for tale in telltales(PairFeatures(dataset), of_source(dataset))}
    return (raised | ({sharing.flag} if sharing else set())) - {""}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((), set()),
        ((by_chromosome,), set()),
        ((at_random,), {"random_split"}),
        ((by_distance,), {"distance_shortcut"}),
        ((by_promoter,), {"promoter_propensity"}),
        ((by_promoter, by_chromosome), set()),
        ((by_promoter, at_random), {"promoter_propensity", "random_split"}),
    ],
    ids=lambda value: (
        "-".join(each.__name__ for each in value) or "honest" if isinstance(value, tuple) else ""
    ),
)
def test_what_was_made_is_flagged_and_nothing_else(
    changes: tuple[Change, ...], expected: set[str], tmp_path: Path
) -> None:
    assert flags(opened(tmp_path / "data", *changes)) == expected


def test_a_run_keeps_what_its_data_give_away(tmp_path: Path) -> None:
    dataset = opened(tmp_path / "data", by_promoter, at_random)
    write_signs(dataset, tmp_path)
    kept = json.loads((tmp_path / SIGNS).read_text(encoding="utf-8"))
    assert kept["data"] == dataset.hash
    assert kept["flags"] == {flag: MEANING[flag] for flag in ("random_split", "promoter_propensity")}
    flagged = [row for row in kept["shortcuts"] if row["flag"]]
    assert [(row["shortcut"], row["parted"]) for row in flagged] == [
        ("propensity of the promoter", "the source's split")
    ]
    assert flagged[0]["low"] > LIMIT
    (tmp_path / SIGNS).write_text(json.dumps({**kept, "flags": {}}), encoding="utf-8")
    write_signs(dataset, tmp_path)
    assert json.loads((tmp_path / SIGNS).read_text(encoding="utf-8"))["flags"] == {}, "of the same data: kept"


def test_cell_lines_held_out_on_known_loci_are_told_apart(tmp_path: Path) -> None:
    def lines(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        return table.assign(split=np.where(table["cell_line"] == "C", "test", "train"))

    dataset = opened(tmp_path / "data", lines)
    sharing = source_split(dataset)
    assert sharing is not None
    assert sharing.flag == "shared_loci"
    (row,) = sharing.rows
    assert (row["part"], row["pairs"], row["nothing new"]) == ("test", 300, 0.0)
    assert row["element of training, same cell line"] == 0.0
    assert row["element of training, any cell line"] == 1.0


@pytest.mark.skipif(not EPI.is_dir(), reason=f"{EPI} is not here")
@pytest.mark.parametrize("drawn", [False, True], ids=["by chromosome", "at random"])
def test_a_random_split_of_real_pairs_is_flagged(drawn: bool, tmp_path: Path) -> None:
    root = EPI
    if drawn:
        root = tmp_path / "epi"
        root.mkdir()
        for side in ("enhancers", "promoters"):
            shutil.copyfile(EPI / f"{side}.parquet", root / f"{side}.parquet")
        pairs = pd.read_parquet(EPI / "pairs.parquet")
        split = np.random.default_rng(0).choice(["train", "train", "train", "test"], len(pairs))
        pairs.assign(split=split).to_parquet(root / "pairs.parquet")
    dataset = open_dataset(
        DataBlock(root=root), enhancer_bp=100, promoter_bp=100, cache=tmp_path / "cache", progress=False
    )
    assert flags(dataset) == ({"random_split", "promoter_propensity"} if drawn else set())


def test_loci_are_chains_and_labels_differ_over_lines(tmp_path: Path) -> None:
    chrom, start, end = np.array([0, 0, 0, 1, 0]), np.array([0, 5, 12, 0, 8]), np.array([6, 9, 20, 9, 12])
    assert locus_numbers(chrom, start, end).tolist() == [0, 0, 1, 2, 0]

    def same(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        first = table[table["cell_line"] == "A"]
        other = first.assign(
            cell_line="B", label=np.where(np.arange(300) < 40, 1 - first["label"], first["label"])
        )
        return pd.concat([first, other], ignore_index=True)

    repeated, differing = discordant(opened(tmp_path / "data", same))
    assert repeated.all()
    assert 80 <= differing.sum() <= 90, "40 loci in two lines, and those that overlap one of them"


NAMES = {"train", "val", "test", "kb", "distance", "lengths", "chance", "chr", "Parquet", "fold"}
"""Of splits, baselines, units and folds: they are what they are called in files."""


QUOTED = {"pairs", "row", "chr", "as", "with", "instead", "of", "bp"}
"""Of rows and places, which stay as reading says them."""


def test_sentences_of_reading_are_in_chinese() -> None:
    words = spoken("zh")
    for note in (
        "repeated pairs dropped: 3 rows with enhancer, promoter, cell line and label of an earlier one (the first is "
        "pairs.parquet, row 4, as pairs.parquet, row 2)",
        "contradictory pairs dropped: 2 pairs (4 rows) with both labels in one cell line",
        "pairs with the DNA of another pair of their cell line under other region names: 2 of 9, 1 of them with the "
        "opposite label; all are kept, as different places may have equal DNA",
        "chromosomes normalised in 7 region names: 5 as chr5 (7)",
        "promoters whose sequence has another length than their coordinates: 2 of 9 (the first is chr1:1-2 with 3 instead "
        "of 1 bp); overlaps are decided by the coordinates",
    ):
        said = words(f"read: {note}")
        assert said.startswith("读取：")
        assert [
            word
            for word in english(said)
            if word not in ("pairs", "row", "chr", "as", "with", "instead", "of", "bp")
        ] == []
    assert spoken("en") is str
    with pytest.raises(UserError, match="no such language"):
        spoken("zhh")


def test_a_column_without_a_number_is_left_out() -> None:
    rows = [
        {"baseline": "a", "x": float("nan"), "y": 0.5},
        {"baseline": "b", "x": float("nan"), "y": float("nan")},
    ]
    kept = _with_values(rows)
    assert [list(row) for row in kept] == [["baseline", "y"]] * 2


@pytest.mark.parametrize("name", ["many", "few"])
def test_the_command_prints_and_writes_the_report(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = on_folds()
    few = {key: every[key] for key in ("lengths", "promoter_kmer_logistic", "pair_kmer_logistic")}
    monkeypatch.setattr(fold_scores, "on_folds", lambda: few)

    def keep(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        return table if name == "many" else table[table["cell_line"] == "A"].reset_index(drop=True)

    opened(tmp_path / "data", keep, by_distance)
    asked = ("--out", tmp_path / "out", "--cache", tmp_path / "cache")
    ended = command("harness.data", "report", tmp_path / "data", *asked)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "distance_shortcut: the distance between the elements gives labels away" in ended.stdout
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert list(written["flags"]) == ["distance_shortcut"]
    rows = {row["shortcut"]: row for row in written["sections"]["shortcuts"]["rows"]}
    assert rows["distance"]["2 SE below"] > 0.65 > rows["lengths"]["AUC"]
    html = (tmp_path / "out" / "report.html").read_text()
    assert "<svg" in html
    assert "<script" not in html
    assert "http" not in html
    assert len(html) < 100_000
    chinese = command("harness.data", "report", tmp_path / "data", *asked, "--lang", "zh")
    assert (chinese.returncode, chinese.stderr) == (0, "")
    page = words_of(tmp_path / "out" / "report.html")
    for said in (chinese.stdout, page):
        said = said.replace(str(tmp_path / "out"), " ").replace(str(tmp_path / "data"), " ")
        said = said.split("没有测量")[0] if name == "few" else said
        assert [word for word in english(said) if word not in NAMES] == []
        assert "捷径" in said
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == written, "programs read English"
    baselines = written["sections"]["baselines"]
    if name == "few":
        assert baselines["sentence"].startswith("Not measured: ")
        return
    assert {row["baseline"] for row in baselines["rows"]} == {*few, "chance"}
    assert "has learnt nothing about interaction" in baselines["sentence"]
    table = pd.read_parquet(tmp_path / "out" / "baselines.parquet")
    assert table["across cell lines"].between(0, 1).all()


def test_a_folder_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    ended = command("harness.data", "report", tmp_path / "nothing", "--out", tmp_path / "out")
    assert ended.returncode == 2
    assert "there is no such folder" in ended.stderr
    assert not (tmp_path / "out").exists()
