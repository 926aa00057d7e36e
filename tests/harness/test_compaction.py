"""Compacting changes no number that a reader sees: before, after, in between, and after a kill at any instant."""

import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import analysis.files
from analysis.files import TableFiles, part_units
from analysis.schema import COMPACTED, TABLES
from analysis.store import KEYS, Run
from harness.store.compaction import Compactor, compact
from harness.store.writer import RunWriter
from tests.harness.killed import Killed, killed_after

UNITS = [("a1", "fold-0", 0), ("a1", "fold-0", 1), ("b2", "fold-0", 0), ("c3", "fold-1", 12)]
NAMES = [f"{config}-{fold}-{seed}" for config, fold, seed in UNITS]


def _write(run: Path, unit: tuple[str, str, int], aupr: float = 0.5) -> None:
    writer = RunWriter(run)
    key = dict(zip(KEYS, unit, strict=True))
    name = "-".join(map(str, unit))
    cells = [
        {"epoch": 1, "selection": selection, "split": split, "cell_line": line, "prevalence_mode": mode}
        for selection in ("epoch", "best_on_validation", "last")
        for split in ("train", "val_unseen", "test")
        for line in ("macro", "pooled", "K562")
        for mode in (("as_found",) if selection == "epoch" else ("as_found", "1:20"))
    ]
    rows: dict[str, list[dict[str, Any]]] = {
        "units": [{"status": "done", "objective_value": aupr}],
        "epochs": [{"epoch": 1, "loss": aupr}, {"epoch": 2, "loss": None}],
        "cells": [{**row, "score": "corrected", "protocol": "exact", "aupr": aupr} for row in cells],
        "predictions": [{"pair": pair, "label": 1, "cell_line": "K562"} for pair in range(3)],
        "embeddings": [{"cell_line": "K562", "draw": 0, "z_e": [aupr, 1.0]}],
        "warnings": [{"rule": "mode_collapse"}] if unit[0] == "b2" else [],
    }
    for table, own in rows.items():
        writer.write(table, name, [{**key, **row} for row in own])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units of a run; read only."""
    folder = tmp_path_factory.mktemp("written")
    for unit in UNITS:
        _write(folder, unit)
    return folder


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    """A copy of what was written."""
    return shutil.copytree(written, tmp_path, dirs_exist_ok=True)


def _all(run: Path) -> dict[str, list[str]]:
    """Every table's rows and those of the thinned readings, in an order that does not depend on the files."""
    opened = Run.open(run)
    frames = {name: opened.table(name) for name in TABLES}
    frames |= {"as_found": opened.as_found(), "judged": opened.judged().drop(columns="unit")}
    assert opened.problems == []
    return {
        name: sorted(map(str, frame.astype(object).to_numpy().tolist())) for name, frame in frames.items()
    }


def test_every_reading_is_the_same_and_few_files_are_left(run: Path) -> None:
    before = _all(run)
    assert len(before["judged"]) == 4 * 3 * 3
    assert len(before["cells"]) == 4 * 45
    compactor = Compactor(run, at_once=3)
    compactor.collect(NAMES)
    assert sorted(file.name for file in (run / "units").iterdir()) == [
        f"{NAMES[3]}.parquet",
        "part-0000001.parquet",
    ]
    assert _all(run) == before
    compactor.finish()
    compactor.finish()
    assert _all(run) == before
    assert all(len(list((run / name).glob("*"))) == 2 for name in COMPACTED if (run / name).exists())
    assert part_units(run / "warnings" / "part-0000001.parquet") == set(NAMES[:3]), "also those without rows"
    units = Run.open(run).judged().groupby("unit").size()
    assert units.tolist() == [9] * 4


def test_judged_rows_have_names_of_several_files_as_categories(run: Path) -> None:
    """Files of other units have other dictionaries; a code of one must not be read as a name of another."""
    compactor = Compactor(run, at_once=2)
    compactor.collect(NAMES[:3])
    opened = Run.open(run)
    judged, cells = opened.judged(), opened.table("cells")
    wanted = cells[
        (cells["prevalence_mode"] == "as_found")
        & (
            (cells["split"] == "val_unseen") & (cells["selection"] != "last")
            | (cells["split"] == "test") & (cells["selection"] == "best_on_validation")
        )
    ]
    names = [*KEYS, "cell_line", "split", "selection"]
    assert sorted(judged[names].itertuples(index=False)) == sorted(wanted[names].itertuples(index=False))
    assert all(isinstance(judged[name].dtype, pd.CategoricalDtype) for name in names if name != "seed")


def test_parts_are_plain_parquet_with_the_schema(run: Path) -> None:
    compact(run / "cells", NAMES)
    (file,) = (run / "cells").glob("*.parquet")
    assert pd.read_parquet(file).columns.tolist() == TABLES["cells"].names
    assert pq.read_metadata(file).num_row_groups == 3 + 2 * 3 * 2
    compact(run / "predictions", NAMES)
    (file,) = (run / "predictions").glob("*.parquet")
    assert pq.read_metadata(file).num_row_groups == len(UNITS)


def test_row_groups_that_nobody_wants_are_not_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compact(run / "cells", NAMES)
    read: list[int] = []
    real = analysis.files.conform

    def watched(table: Any, schema: Any) -> Any:
        if "split" in schema.names:
            read.append(table.num_rows)
        return real(table, schema)

    monkeypatch.setattr("analysis.files.conform", watched)
    Run.open(run).judged()
    assert read == [4 * 3 * 3]


@pytest.mark.parametrize("instant", range(12))
def test_compaction_killed_at_any_instant_loses_nothing(
    run: Path, monkeypatch: pytest.MonkeyPatch, instant: int
) -> None:
    before, counted = _all(run), killed_after(instant)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", counted(os.fsync))
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        compactor = Compactor(run)
        compactor.collect(NAMES)
        with pytest.raises(Killed):
            compactor.finish()
    assert _all(run) == before
    again = Compactor(run)
    again.collect_left([*NAMES, "never-was-1"])
    again.finish()
    assert _all(run) == before
    single = [file for name in COMPACTED for file in (run / name).glob("*.parquet") if file.stem in NAMES]
    assert single == []


def test_a_units_own_file_and_then_the_newest_part_counts(run: Path) -> None:
    compact(run / "units", NAMES)
    _write(run, UNITS[0], aupr=0.9)
    values = Run.open(run).table("units").set_index(KEYS)["objective_value"]
    assert values[UNITS[0]] == 0.9
    assert values.drop([UNITS[0]]).tolist() == [0.5] * 3
    compact(run / "units", NAMES[:1])
    assert Run.open(run).table("units").set_index(KEYS)["objective_value"][UNITS[0]] == 0.9
    assert len(Run.open(run).table("units")) == 4


def test_what_is_compacted_while_somebody_reads_is_read_once(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = Run.open(run).table("units"), TableFiles._open
    opened: list[Path] = []

    def slowly(self: TableFiles, file: Path, *given: Any) -> Any:
        if file.parent.name == "units":
            opened.append(file)
            if len(opened) == 2:
                compact(run / "units", NAMES)
        return real(self, file, *given)

    monkeypatch.setattr(TableFiles, "_open", slowly)
    found = Run.open(run)
    pd.testing.assert_frame_equal(
        found.table("units").sort_values(KEYS, ignore_index=True), before, check_like=True
    )
    assert found.problems == []
    assert len(opened) == 5
