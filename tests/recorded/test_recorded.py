"""The recorded run is one of today's schema and settings; what fails here asks for `python -m tests.recorded`."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from analysis.schema import KEYS, SCHEMA_VERSION, TABLES
from analysis.stamps import mixture
from analysis.store import Run
from harness.config.sweep.sweep import load_sweep
from harness.design.plan import Plan
from tests.recorded.__main__ import KEPT, ROOT, keep
from tests.recorded.copies import RUN
from tests.test_house import addresses

AGAIN = "record it again: python -m tests.recorded"
FILES = sorted(RUN.rglob("*.parquet"))


def test_every_table_that_is_kept_has_rows() -> None:
    assert sorted({file.parent.name for file in FILES}) == sorted(KEPT), AGAIN
    run = Run.open(RUN)
    assert all(len(run.table(name)) for name in KEPT)
    assert run.problems == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_a_recorded_table_has_todays_version_and_columns(file: Path) -> None:
    schema, today = pq.read_schema(file), TABLES[file.parent.name]
    assert schema.metadata[b"schema_version"] == str(SCHEMA_VERSION).encode(), AGAIN
    assert schema.equals(today), AGAIN


def test_the_recorded_plan_is_that_of_the_sweep_beside_it() -> None:
    plan, run = Plan.load(RUN), Run.open(RUN)
    assert plan is not None, AGAIN
    today = Plan.of(
        load_sweep(ROOT / "tests" / "recorded" / "sweep.yaml"), folds=[*plan.known.values()], data=plan.data
    )
    assert today.units() == plan.units(), AGAIN
    assert len(today.units()) == 12
    units = run.table("units")
    assert {unit.name for unit in plan.units()} == set(units[KEYS].astype(str).agg("-".join, axis=1))
    assert set(units["status"]) == {"done"}
    assert mixture(run) is None


def test_no_recorded_text_names_a_machine() -> None:
    texts = {file.name: file.read_text(encoding="utf-8") for file in RUN.iterdir() if file.is_file()}
    for file in FILES:
        texts[file.parent.name] = json.dumps(pq.read_table(file, partitioning=None).to_pylist(), default=str)
    assert {name: found for name, text in texts.items() if (found := addresses(text))} == {}


def test_what_is_recorded_is_kept_as_it_was(tmp_path: Path) -> None:
    keep(RUN, tmp_path)
    for file in FILES:
        tables = [pq.read_table(root / file.relative_to(RUN), partitioning=None) for root in (RUN, tmp_path)]
        pd.testing.assert_frame_equal(*(table.to_pandas() for table in tables))
    assert sum(file.stat().st_size for file in RUN.rglob("*.*")) < 600_000
