"""Readers: both layouts give the same dataset, and every bad input gives one sentence and exit status 2."""

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from analysis.errors import UserError
from harness.config.blocks.data import DataBlock, parse_source
from harness.data.__main__ import describe
from harness.data.read import read
from harness.data.region import parse_regions
from harness.data.store import open_dataset
from tests.harness.command import Ended, command
from tests.harness.small_data import change_cell, small_tables, write_parquet, write_prism

Edit = Callable[[Path, dict[str, pd.DataFrame]], None]
LONG = "AC" * 40


def test_both_layouts_give_the_same_dataset(tmp_path: Path) -> None:
    tables = small_tables()
    flat = read(write_parquet(tmp_path / "flat", tables))
    prism = read(write_prism(tmp_path / "prism", tables))
    keys = ["cell_line", "enhancer"]
    left = flat.pairs.sort_values(keys, ignore_index=True)
    right = prism.pairs.sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(left, right[left.columns], check_dtype=False)
    assert dict(prism.enhancers.values) == dict(flat.enhancers.values) == dict(tables["enhancers"].values)
    assert dict(prism.promoters.values) == dict(flat.promoters.values)
    assert set(right["split"]) == {"train", "val", "test"}


def test_region_names() -> None:
    names = [
        "GM12878|chr5:131773000-131774150",
        "chrX:0-1",
        "7:5-9",
        "K|chr1:9-9",
        "chr1:9-5",
        "chr1",
        "",
        "chr1:a-b",
    ]
    parsed = parse_regions(pd.Series(names))
    assert parsed["chrom"].tolist() == ["chr5", "chrX", "chr7", "", "", "", "", ""]
    assert parsed["start"].tolist() == [131773000, 0, 5, -1, -1, -1, -1, -1]
    assert parsed["end"].tolist()[:3] == [131774150, 1, 9]
    assert parse_regions(pd.Series([], dtype=str)).empty


def parquet_case(edit: Edit) -> Callable[[Path], Path]:
    def build(root: Path) -> Path:
        tables = small_tables()
        edit(root, tables)
        write_parquet(root, tables)
        return root

    return build


def put(table: str, row: int, column: str, value: object) -> Callable[[Path], Path]:
    def edit(root: Path, tables: dict[str, pd.DataFrame]) -> None:
        tables[table][column] = tables[table][column].astype(object)
        change_cell(tables[table], row, column, lambda _: value)
        if len(set(map(type, tables[table][column]))) > 1:
            tables[table][column] = tables[table][column].astype(str)

    return parquet_case(edit)


def change(table: str, function: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], Path]:
    return parquet_case(lambda root, tables: tables.update({table: function(tables[table])}))


def after(function: Callable[[Path], object], layout: Callable = write_parquet) -> Callable[[Path], Path]:
    def build(root: Path) -> Path:
        layout(root, small_tables())
        function(root)
        return root

    return build


def truncate(file: Path, missing: int = 200) -> None:
    file.write_bytes(file.read_bytes()[:-missing])


def lines(file: Path, function: Callable[[list[str]], list[str]]) -> None:
    file.write_text("\n".join(function(file.read_text().splitlines())) + "\n")


def put_line(text: list[str], number: int, old: str, new: str) -> list[str]:
    return [line.replace(old, new) if i == number else line for i, line in enumerate(text, start=1)]


def as_folder(file: Path) -> None:
    """As a table that was written in parts."""
    file.unlink(missing_ok=True)
    file.mkdir()
    (file / "part-0.parquet").write_bytes(b"")


def csv(name: str, function: Callable[[list[str]], list[str]]) -> Callable[[Path], Path]:
    return after(lambda root: lines(root / "train/ALL" / name, function), write_prism)


def features(rows: list[tuple[str, str, float]]) -> Callable[[Path], Path]:
    table = pd.DataFrame(rows, columns=["cell_line", "feature", "value"])
    return after(lambda root: table.to_parquet(root / "cell_features.parquet"))


def one_class(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs.assign(label=pairs["label"].where(pairs["cell_line"] != "HMEC", 0))


FULL = [(line, "CTCF", 1.0) for line in ("A549", "GM12878", "HMEC", "K562", "NHEK")]
TRAIN = "train/ALL"

BAD = {
    "no folder": (lambda root: root, "is not a folder; expected a dataset folder"),
    "neither layout": (
        after(lambda root: [f.rename(f.with_suffix(".pq")) for f in list(root.iterdir())]),
        "is not a dataset: expected pairs.parquet, enhancers.parquet",
    ),
    "missing Parquet file": (after(lambda root: (root / "promoters.parquet").unlink()), "promoters.parquet is missing"),
    "missing CSV file": (
        after(lambda root: (root / "test/ALL/e_seq.csv").unlink(), write_prism),
        "test/ALL/e_seq.csv is missing",
    ),
    "missing column": (
        change("pairs", lambda t: t.rename(columns={"label": "labels"})),
        "pairs.parquet has no column label; did you mean 'labels'?",
    ),
    "missing column in CSV": (
        csv("e_seq.csv", lambda t: ["regio,sequence", *t[1:]]),
        "e_seq.csv has no column region; did you mean 'regio'?",
    ),
    "empty table": (change("pairs", lambda t: t.iloc[:0]), "pairs.parquet holds no rows"),
    "empty CSV file": (after(lambda root: (root / TRAIN / "p_seq.csv").write_text(""), write_prism), "p_seq.csv is empty"),
    "unknown enhancer": (
        change("enhancers", lambda t: t.drop(index=3)),
        "row 4: enhancer 'A549|chrX:40000-",
    ),
    "unknown promoter": (
        put("pairs", 6, "promoter", "chr9:1-50"),
        "pairs.parquet, row 7: promoter 'chr9:1-50' is not in",
    ),
    "name without coordinates": (put("pairs", 2, "enhancer", "GATA1"), "row 3: enhancer 'GATA1' has no coordinates"),
    "label": (put("pairs", 8, "label", 2), "pairs.parquet, row 9: label '2' is not 0 or 1"),
    "label in CSV": (
        csv("pairs_hg19.csv", lambda t: put_line(t, 5, ",0,", ",yes,")),
        "pairs_hg19.csv, line 5: label 'yes' is not 0 or 1",
    ),
    "empty label": (
        csv("pairs_hg19.csv", lambda t: put_line(t, 5, ",0,", ",,")),
        "pairs_hg19.csv, line 5: the label is empty",
    ),
    "empty cell line": (put("pairs", 4, "cell_line", " "), "pairs.parquet, row 5: the cell line is empty"),
    "one-class cell line": (change("pairs", one_class), "all 16 pairs of cell line HMEC have label 0; expected both"),
    "foreign character": (
        put("enhancers", 5, "sequence", "ACGTRACGT"),
        "enhancers.parquet, row 6: sequence of A549|chr2:60000-",
    ),
    "foreign character position": (
        put("promoters", 0, "sequence", "AC-GT"),
        "has '-' at position 3; expected only A C G T N",
    ),
    "non-ASCII character": (put("promoters", 1, "sequence", "ACGÄ"), "row 2: sequence of A549|chr2:23000-"),
    "empty sequence": (put("promoters", 9, "sequence", ""), "promoters.parquet, row 10: the sequence is empty"),
    "duplicate region": (
        change("enhancers", lambda t: pd.concat([t, t.iloc[[2]].assign(sequence=LONG)])),
        "enhancers.parquet, row 81: region A549|chr10:30000-",
    ),
    "truncated Parquet": (
        after(lambda root: truncate(root / "enhancers.parquet")),
        "enhancers.parquet is not a complete Parquet file",
    ),
    "ragged CSV": (
        csv("p_seq.csv", lambda t: [*t[:3], t[3] + ",1,2", *t[4:]]),
        "p_seq.csv is not a comma-separated table with as many values in every line",
    ),
    "CSV cut within a line": (
        after(lambda root: truncate(root / TRAIN / "e_seq.csv", 90), write_prism),
        "e_seq.csv, line 33: the",
    ),
    "not text": (
        after(lambda root: (root / TRAIN / "e_seq.csv").write_bytes(b"region,sequence\nchr1:1-3,\xff\xfe\n"), write_prism),
        "e_seq.csv is not UTF-8 text",
    ),
    "distance": (change("pairs", lambda t: t.assign(distance=-5)), "row 1: distance '-5' is not a number of bp"),
    "split": (change("pairs", lambda t: t.assign(split="training")), "row 1: split 'training' is not train, val or test"),
    "feature of no cell line": (features(FULL[:4]), "cell_features.parquet has no row for cell line 'NHEK'"),
    "feature that is no number": (features([*FULL[:4], ("NHEK", "CTCF", float("nan"))]), "row 5: the value is empty"),
    "infinite feature": (features([*FULL[:4], ("NHEK", "CTCF", float("inf"))]), "row 5: value 'inf' is not a finite"),
    "table that is a folder": (after(lambda root: as_folder(root / "pairs.parquet")), "pairs.parquet is a folder"),
    "features that are a folder": (
        after(lambda root: as_folder(root / "cell_features.parquet")),
        "cell_features.parquet is a folder; expected one file",
    ),
    "features that are a dead link": (
        after(lambda root: (root / "cell_features.parquet").symlink_to("gone")),
        "cell_features.parquet is a link to a file that is not there (gone)",
    ),
    "column given twice in CSV": (
        csv("pairs_hg19.csv", lambda t: [line + "," + line.split(",")[2] for line in t]),
        "pairs_hg19.csv has more than one column for the label (label and label.1); expected one",
    ),
    "column given in both spellings": (
        change("pairs", lambda t: t.assign(enhancer_name="chr1:1-2")),
        "pairs.parquet has more than one column for the enhancer (enhancer and enhancer_name)",
    ),
    "distance that is no position": (change("pairs", lambda t: t.assign(distance=1e30)), "row 1: distance '1e+30' is not"),
    "feature given twice": (features([*FULL, FULL[0]]), "row 6: 'A549 / CTCF' is given a second time"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    build, expected = BAD[case]
    root = build(tmp_path / "data")
    cache = tmp_path / "cache"
    with pytest.raises(UserError) as raised:
        open_dataset(DataBlock(root=root), enhancer_bp=50, promoter_bp=50, cache=cache, progress=False)
    sentence = str(raised.value)
    assert expected in sentence
    assert str(root) in sentence
    assert "\n" not in sentence
    left = [path for path in cache.rglob("*") if not path.name.endswith(".lock")] if cache.exists() else []
    assert left == []


def test_what_pandas_stored_as_index_is_a_column(tmp_path: Path) -> None:
    tables = small_tables()
    plain = read(write_parquet(tmp_path / "plain", tables))
    root = write_parquet(tmp_path / "indexed", tables)
    tables["pairs"].set_index(["cell_line", "enhancer"]).to_parquet(root / "pairs.parquet")
    for name in ("enhancers", "promoters"):
        tables[name].set_index("region").to_parquet(root / f"{name}.parquet")
    indexed = read(root)
    assert indexed.pairs[plain.pairs.columns].equals(plain.pairs)
    assert dict(indexed.enhancers.values) == dict(plain.enhancers.values)


def test_home_is_found_in_data_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_parquet(tmp_path / "data", small_tables())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert DataBlock.model_validate({"root": "~/data"}).root == root
    assert parse_source("~/data").root == root
    with pytest.raises(UserError, match=r"~nobody-has-this/data names no user's home folder"):
        parse_source("~nobody-has-this/data")


def test_describe_says_what_reading_changed(tmp_path: Path) -> None:
    tables = small_tables()
    pairs = tables["pairs"]
    again = pd.concat([pairs.iloc[[0, 1]], pairs.iloc[[2]].assign(label=1 - pairs["label"][2])])
    tables["pairs"] = pd.concat([pairs, again], ignore_index=True)
    tables["pairs"]["promoter"] = tables["pairs"]["promoter"].str.replace("chr1:", "Chr01:")
    tables["cell_features"] = pd.DataFrame(
        [*FULL, ("A549", "JUND", 1.0)], columns=["cell_line", "feature", "value"]
    )
    sequences = tables["enhancers"].set_index("region")["sequence"]
    sequences[pairs["enhancer"][0]] = sequences[pairs["enhancer"][17]]
    tables["enhancers"] = sequences.reset_index()
    root = write_parquet(tmp_path / "[bold]", tables)
    out = io.StringIO()
    describe(
        str(root),
        enhancer_bp=60,
        promoter_bp=60,
        cache=tmp_path / "cache",
        console=Console(file=out, width=200),
        contradictions="drop",
    )
    shown = out.getvalue()
    for sentence in (
        str(root),
        "read: chromosomes normalised in 20 region names: Chr01 as chr1 (20)",
        "read: repeated pairs dropped: 2 rows with enhancer, promoter, cell line and label of an earlier one (the first "
        "is pairs.parquet, row 81, as pairs.parquet, row 1)",
        "read: contradictory pairs dropped: 1 pairs (2 rows) with both labels in one cell line",
        "read: features not used because some cell line lacks them: 1 of 2 (the first is JUND)",
        "read: enhancers whose sequence has another length than their coordinates: 1 of 80",
        "features of every cell line: 1",
        "not used, has a sequence of an evaluation split under another name: 1",
    ):
        assert sentence in shown, shown


def test_command_line_describes_and_refuses(tmp_path: Path) -> None:
    def describe(source: str) -> Ended:
        return command("harness.data", "describe", source, "--cache", tmp_path / "cache")

    good = describe(str(write_parquet(tmp_path / "data", small_tables())))
    assert good.returncode == 0, good.stderr
    for text in ("A549", "NHEK", "val_seen", "held-out chromosomes"):
        assert text in good.stdout
    bad = describe("synthetic:gatet")
    assert bad.returncode == 2
    assert bad.stderr == (
        "error: 'synthetic:gatet': the synthetic benchmark has the forms linear, interaction, gated, modulated; "
        "did you mean 'gated'?\n"
    )
