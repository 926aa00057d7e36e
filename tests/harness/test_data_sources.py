"""What command lines make of a data source: the keys beside it, its name and what reading it changed."""

import errno
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.errors import UserError
from harness.config.blocks.data import DataBlock, FoldBlock, parse_source
from harness.config.sweep.sweep import load_sweep
from harness.data.dataset import EncodedDataset
from harness.data.store import content_hash, open_dataset
from harness.single.command import load
from tests.harness.command import command
from tests.harness.small_data import LINES, small_tables, write_parquet, write_prism

YAML = """
name: small
base: minimal
data: {{root: {root}, folds: [{{test: [NHEK], val: [HMEC], chromosomes: [2]}}]}}
trial: {{epochs: 1, seeds: 1}}
set: {{support.size: 2, episode.query: 4}}
space:
  optimiser.lr: {{grid: [0.001, 0.002]}}
design: grid
"""


def opened(root: Path, cache: Path) -> EncodedDataset:
    return open_dataset(DataBlock(root=root), enhancer_bp=60, promoter_bp=60, cache=cache, progress=False)


def sweep_file(folder: Path, root: Path) -> Path:
    file = folder / "small.yaml"
    file.write_text(YAML.format(root=root).replace("[2]", '["2"]'))
    return file


def with_contradiction() -> dict[str, pd.DataFrame]:
    tables = small_tables()
    pairs = tables["pairs"]
    tables["pairs"] = pd.concat([pairs, pairs.iloc[[4]].assign(label=1 - pairs["label"][4]), pairs.iloc[[7]]])
    return tables


def test_data_of_the_command_line_keep_the_folds_of_the_yaml(tmp_path: Path) -> None:
    mine, other = (write_parquet(tmp_path / name, small_tables()) for name in ("mine", "other"))
    file = sweep_file(tmp_path, mine)
    _, data = load(str(file), [], str(other), "drop")
    assert data == load_sweep(file, overrides=["data.contradictions=drop"], data_root=other).config.data
    assert (data.root, data.contradictions) == (other, "drop")
    assert data.folds == [FoldBlock(test=["NHEK"], val=["HMEC"], chromosomes=["2"])]
    _, synthetic = load(str(file), [], "synthetic:linear")
    assert synthetic.root is None
    assert synthetic.folds == "one"


def test_contradictions_of_a_preset_and_of_synthetic_pairs(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "data", small_tables())
    assert load("minimal", [], str(root), "drop")[1].contradictions == "drop"
    for source in ("synthetic", "synthetic:linear"):
        with pytest.raises(
            UserError, match=f"--contradictions drop: '{source}' has none; it acts on a dataset folder"
        ):
            parse_source(source, "drop")


def test_an_input_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by the opening itself, as a test may run as a user who may read everything."""
    root = write_parquet(tmp_path / "data", small_tables())
    opening = Path.open

    def refuse(path: Path, *given: Any) -> Any:
        if path.name == "promoters.parquet":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opening(path, *given)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=f"^{root}/promoters.parquet cannot be read: Permission denied$"):
        content_hash(parse_source(str(root)))
    with pytest.raises(UserError, match="cannot be read: File name too long"):
        parse_source("x" * 5000)


def test_sweep_says_where_its_data_are_and_what_was_dropped(tmp_path: Path) -> None:
    """Two copies of one data set share a store; the second is shown under its own name."""
    files, drop, cache = {}, "data.contradictions=drop", tmp_path / "cache"
    for name in ("mine", "copy"):
        files[name] = sweep_file(
            tmp_path / name, write_parquet(tmp_path / name / "data", with_contradiction())
        )
    first = load_sweep(files["mine"], overrides=[drop])
    model = first.trial.resolved(gpu=False).model
    assert model.enhancer_bp is not None
    assert model.promoter_bp is not None
    windows = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
    open_dataset(first.config.data, **windows, cache=cache, progress=False)
    before = sorted(cache.rglob("*"))
    ended = command(
        *("harness.sweep", files["copy"], "--dry-run", "--set", drop),
        *("--cache", cache, "--out", tmp_path / "run"),
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(cache.rglob("*")) == before
    shown = ended.stdout.replace("\n", "")
    assert str(tmp_path / "mine") not in shown
    compact = "".join(shown.split())
    for sentence in (
        str(tmp_path / "copy" / "data"),
        "contradictory pairs dropped: 1 pairs (2 rows) with both labels in one cell line",
        "repeated pairs dropped: 1 rows",
        "79 pairs of 5 cell lines",
    ):
        assert "".join(sentence.split()) in compact, shown


@pytest.mark.parametrize("layout", ["prism", "parquet"])
def test_a_pipe_is_no_table(layout: str, tmp_path: Path) -> None:
    write, name = {
        "prism": (write_prism, "val/ALL/e_seq.csv"),
        "parquet": (write_parquet, "pairs.parquet"),
    }[layout]
    root = write(tmp_path / "data", small_tables())
    (root / name).unlink()
    os.mkfifo(root / name)
    with pytest.raises(
        UserError, match=f"^{root}/{name} is a pipe, socket or device; expected a file on disk"
    ):
        opened(root, tmp_path / "cache")


def test_a_folder_with_both_layouts_says_which_one_is_read(tmp_path: Path) -> None:
    """Whether the cache was made from a folder with both or not: the content that is read is the same."""
    both = write_prism(write_parquet(tmp_path / "both", small_tables()), small_tables(seed=1))
    one = write_parquet(tmp_path / "one", small_tables())
    for _ in range(2):
        assert opened(both, tmp_path / "cache").notes == [
            "both layouts are there: pairs.parquet, enhancers.parquet, promoters.parquet are read, and train/ALL, "
            "val/ALL, test/ALL are not"
        ]
        assert opened(one, tmp_path / "cache").notes == []


def test_features_of_cell_lines_without_pairs_are_counted(tmp_path: Path) -> None:
    tables = small_tables()
    lines = (*LINES, "HepG2", "IMR90", "HepG2")
    rows = [(line, f"f{number // 7}", float(number)) for number, line in enumerate(lines)]
    tables["cell_features"] = pd.DataFrame(rows, columns=["cell_line", "feature", "value"])
    assert opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache").notes == [
        "features not used because their cell line has no pairs: 3 rows of 2 cell lines (the first is HepG2)"
    ]
