"""`python -m analysis verify`: an untampered run agrees, a tampered one is named by its row."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.__main__ import main
from analysis.ledger.hashing import content_hash
from analysis.ledger_view import counted
from analysis.schema import TABLES
from tests.recorded.copies import RUN


def said(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(["verify", str(run)])
    return status, " ".join(capsys.readouterr().out.split())


def tampered(folder: Path, table: str, change: Callable[[pd.DataFrame], object]) -> Path:
    """A copy of the recorded run with one table changed; row groups and metadata of its part are kept."""
    run = Path(shutil.copytree(RUN, folder / "run"))
    (file,) = (run / table).glob("*.parquet")
    with pq.ParquetFile(file) as old:
        schema = old.schema_arrow
        frame = old.read().to_pandas()
        sizes = [old.metadata.row_group(number).num_rows for number in range(old.num_row_groups)]
    changed = change(frame)
    frame = changed if isinstance(changed, pd.DataFrame) else frame
    whole, at = pa.Table.from_pandas(frame, schema=schema, preserve_index=False), 0
    with pq.ParquetWriter(file, schema) as writer:
        for size in sizes:
            writer.write_table(whole.slice(at, size), row_group_size=size)
            at += size
    return run


def first(frame: pd.DataFrame, **where: Any) -> Any:
    """Index of the first row that has these values."""
    chosen = pd.concat([frame[name] == value for name, value in where.items()], axis=1).all(axis=1)
    return frame.index[chosen][0]


def test_an_untampered_run_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = said(RUN, capsys)
    rows = sum(pq.read_metadata(file).num_rows for file in (RUN / "predictions").glob("*.parquet"))
    assert status == 0, text
    assert f"{counted(rows)} of {counted(rows)} predictions recomputed, largest difference" in text
    assert "every record agrees with itself" in text


def test_a_tampered_logit_is_named_by_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: dict[str, Any] = {}

    def change(frame: pd.DataFrame) -> None:
        at = first(frame, split="test", seed=1)
        told.update(frame.loc[at].to_dict())
        frame.loc[at, "logit"] += 0.02

    status, text = said(tampered(tmp_path, "predictions", change), capsys)
    unit = f"{told['config']}-{told['fold']}-{told['seed']}"
    assert status == 1
    assert (
        f"differs: unit {unit} split test, pair {told['pair']}, cell line {told['cell_line']}: the stored"
        in text
    )
    assert f"{told['logit'] + 0.02:.6g}, and" in text
    assert "hash is another" in text
    assert "1 of 12 units have a fault" in text


def test_what_recomputes_all_the_same_has_another_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(frame: pd.DataFrame) -> None:
        at = first(frame, label=1, split="test")
        frame.loc[at, "pair"] = 10**6

    status, text = said(tampered(tmp_path, "predictions", change), capsys)
    assert status == 1
    assert "not those that were verified as the unit ended" in text


@pytest.mark.parametrize(
    ("column", "split", "line", "text"),
    [
        ("aupr", "test", "macro", "aupr is"),
        ("auc", "val_unseen", "pooled", "auc is"),
        ("nll", "train", "pooled", "nll is"),
        ("threshold_logit", "val_unseen", "pooled", "thresholds, and validation chooses one"),
        ("n", "test", "pooled", "n is"),
        ("f1", "val_seen", "macro", "f1 is"),
    ],
)
def test_a_tampered_figure_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, split: str, line: str, text: str
) -> None:
    where = {"selection": "best_on_validation", "split": split, "cell_line": line, "score": "corrected"}

    def change(frame: pd.DataFrame) -> None:
        frame.loc[first(frame, prevalence_mode="1:20", **where), column] += 1

    status, whole = said(tampered(tmp_path, "cells", change), capsys)
    assert status == 1
    assert text in whole
    assert "score corrected, prevalence 1:20" in whole


def test_a_unit_without_its_row_of_the_ledger_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tampered(tmp_path, "ledger", lambda frame: frame.drop(index=0))
    status, text = said(run, capsys)
    assert status == 1
    assert "0 rows of the table ledger" in text


def test_an_energy_of_a_person_is_not_recomputed_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(frame: pd.DataFrame) -> None:
        frame["form"] = "mine"

    run = tampered(tmp_path, "ledger", change)
    (file,) = (run / "units").glob("*.parquet")
    with pq.ParquetFile(file) as old:
        schema, units = old.schema_arrow, old.read().to_pandas()
    for form in ("linear", "gated"):
        units["config_json"] = units["config_json"].str.replace(f'"form": "{form}"', '"form": "mine"')
    pq.write_table(pa.Table.from_pandas(units, schema=schema, preserve_index=False), file)
    status, text = said(run, capsys)
    assert status == 0, text
    assert (
        "not recomputed: 2 928 predictions of 12 units: energy.form mine has no NumPy form in analysis"
        in text
    )


def test_a_hash_is_of_values_and_not_of_files() -> None:
    rows = [{"pair": k, "split": "test" if k % 2 else "train", "u": k / 3, "branch": None} for k in range(9)]
    whole = pa.Table.from_pylist(rows, schema=TABLES["predictions"])
    pieces = pa.concat_tables([whole.slice(0, 4), whole.slice(4)])
    assert content_hash([whole]) == content_hash([pieces])
    changed = [{**row, "u": 0.0} if row["pair"] == 3 else row for row in rows]
    other = pa.Table.from_pylist(changed, schema=TABLES["predictions"])
    assert content_hash([whole]) != content_hash([other])
    nothing = pa.Table.from_pylist(
        [{**row, "u": None} if row["pair"] == 0 else row for row in rows], whole.schema
    )
    assert content_hash([whole]) != content_hash([nothing]), "null is not 0"


def test_thousands_are_set_apart() -> None:
    assert [counted(number) for number in (0, 999, 12384, 1234567)] == ["0", "999", "12 384", "1 234 567"]
