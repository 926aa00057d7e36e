"""Reading a store that is incomplete, being written, damaged or newer."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.documented import DOCUMENTED
from analysis.errors import UserError
from analysis.flags import units_of_run
from analysis.schema import SCHEMA_VERSION, TABLES, to_table
from analysis.store import Run
from tests.recorded.copies import write

RECORD_POINTS = Path(__file__).parents[3] / "shared" / "data" / "record_points" / "per_cell.csv"
KEY = {"config": "a", "fold": "f", "seed": 1}


def test_a_run_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    (tmp_path / "plan.json").write_text("{}")
    (tmp_path / "trials" / "a-f-1.parquet").write_bytes(b"")
    with pytest.raises(UserError, match=f"version {SCHEMA_VERSION - 1} or an earlier one, and this program"):
        Run.open(tmp_path)


def test_missing_tables_are_empty_with_their_columns(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}")
    run = Run.open(tmp_path)
    for name, schema in TABLES.items():
        assert list(run.table(name).columns) == schema.names
        assert run.table(name).empty
    assert units_of_run(run).count == 0


def test_rows_come_back_and_files_being_written_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, "epochs", "a-f-1.parquet", [{**KEY, "epoch": 1, "loss": 0.5}])
    write(tmp_path, "units", "a-f-1.parquet", [{**KEY, "status": "running"}])
    (tmp_path / "epochs" / ".b-f-1.parquet").write_bytes(b"half a file")
    run = Run.open(tmp_path)
    assert run.table("epochs")["loss"].tolist() == [0.5]
    assert run.problems == []
    units = units_of_run(run)
    assert units.count == 1
    assert units.unit_rows.equals("status", "running").tolist() == [True]
    assert np.isnan(units.unit_rows.numbers("parameters")).all()
    assert units.series("loss").values["loss"].tolist() == [0.5]


def test_damaged_file_is_reported_not_dropped_silently(tmp_path: Path) -> None:
    write(tmp_path, "epochs", "a-f-1.parquet", [{**KEY, "epoch": 1}])
    (tmp_path / "epochs" / "b-f-1.parquet").write_bytes(b"half a file")
    (tmp_path / "plan.json").write_text("{")
    run = Run.open(tmp_path)
    assert len(run.table("epochs")) == 1
    assert run.document("plan.json") == {}
    assert ["epochs/b-f-1.parquet" in run.problems[0], "plan.json" in run.problems[1]] == [True, True]


def test_a_file_may_lack_columns_and_another_schema_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "epochs", "a-f-1.parquet", [{**KEY, "epoch": 1, "loss": 0.5}])
    file = tmp_path / "epochs" / "a-f-1.parquet"
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["w"]), file)
    (tmp_path / "plan.json").write_text("{}")
    assert Run.open(tmp_path).table("epochs")["w"].isna().all()
    newer = to_table("epochs", []).replace_schema_metadata({"schema_version": str(SCHEMA_VERSION + 1)})
    pq.write_table(newer, file)
    with pytest.raises(UserError, match=f"schema version {SCHEMA_VERSION + 1}"):
        Run.open(tmp_path).table("epochs")


def test_rows_outside_the_schema_are_refused() -> None:
    with pytest.raises(ValueError, match="no column shape"):
        to_table("epochs", [{**KEY, "shape": 1}])
    with pytest.raises(ValueError, match="no table 'epoch'"):
        to_table("epoch", [])
    with pytest.raises(ValueError, match="epochs"):
        to_table("epochs", [{**KEY, "epoch": "first"}])
    assert to_table("cells", []).num_rows == 0


def test_every_column_says_what_it_means() -> None:
    for schema in TABLES.values():
        assert schema.metadata[b"schema_version"] == str(SCHEMA_VERSION).encode()
        assert all(field.metadata[b"doc"] for field in schema)
    assert TABLES["units"].field("started").type == pa.timestamp("us", tz="UTC")


def test_not_a_run(tmp_path: Path) -> None:
    (tmp_path / "rp24" / "units").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no such run; did you mean '.*/rp24'\?"):
        Run.open(tmp_path / "rp42")
    with pytest.raises(UserError, match=r"is not a run.*contains the runs .*/rp24"):
        Run.open(tmp_path)


@pytest.mark.skipif(not RECORD_POINTS.exists(), reason="the record points are not on this machine")
def test_documented_baselines_are_the_means_of_the_record_points() -> None:
    means = pd.read_csv(RECORD_POINTS).groupby("record_point")["aupr"].mean()
    names = {"cross_attention": "cross_attn", "rp04": "rp04"}
    for baseline in DOCUMENTED:
        assert baseline.aupr == pytest.approx(means[names[baseline.name]], abs=5e-5)


def test_analysis_stands_on_its_own() -> None:
    code = (
        "import sys, pkgutil, importlib, analysis\n"
        "for m in pkgutil.walk_packages(analysis.__path__, 'analysis.'): importlib.import_module(m.name)\n"
        "bad = {'torch', 'ray', 'harness', 'models'} & set(sys.modules)\n"
        "sys.exit(f'imports {bad}' if bad else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
