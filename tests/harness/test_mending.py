"""Damaged files of a store are put aside, said and made again; units move whole, whenever it is interrupted."""

import os
import shutil
from pathlib import Path

import pytest

from analysis.errors import UserError
from analysis.schema import KEYS, TABLES, to_table
from analysis.store import Run
from analysis.unit_log import UnitLog, log_file, rows_frame, table_frame
from harness.store.compaction import Compactor, compact
from harness.store.exporting import export
from harness.store.log_writer import LogWriter
from harness.store.mending import mend
from harness.store.moving import move_units
from harness.store.writer import RunWriter
from tests.harness.killed import Killed, killed_after

UNITS = [("a1", "fold-0", 0), ("a1", "fold-0", 1), ("b2", "fold-0", 0), ("c3", "fold-1", 12)]
NAMES = [f"{config}-{fold}-{seed}" for config, fold, seed in UNITS]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four ended units with logs: three in a part, one by itself; read only."""
    folder = tmp_path_factory.mktemp("written") / "run"
    for number, (unit, name) in enumerate(zip(UNITS, NAMES, strict=True)):
        key = dict(zip(KEYS, unit, strict=True))
        cells = [{"epoch": 1, "selection": "epoch", "split": "test", "cell_line": "K562", "aupr": number / 7}]
        pairs = [{**key, "pair": pair, "label": 1, "u": number / 3} for pair in range(3)]
        LogWriter(log_file(folder, name)).append(
            rows_frame({**key, "status": "running"}, {}),
            rows_frame({"epochs": 1}, {"cells": cells, "epochs": [{"epoch": 1, "loss": number / 9}]}),
            table_frame("predictions", to_table("predictions", pairs)),
            rows_frame({"status": "done"}, {}),
        )
        export(folder, UnitLog.read(log_file(folder, name)))
        (RunWriter(folder).checkpoint_folder(name) / "last.pt").write_bytes(b"weights")
    Compactor(folder, at_once=3).collect(NAMES)
    return folder


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    """A copy of what was written."""
    return shutil.copytree(written, tmp_path / "run")


def _all(run: Path) -> dict[str, list[str]]:
    opened = Run.open(run)
    frames = {name: opened.table(name) for name in TABLES}
    assert opened.problems == []
    return {
        name: sorted(map(str, frame.astype(object).to_numpy().tolist())) for name, frame in frames.items()
    }


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def test_a_whole_store_needs_nothing(run: Path) -> None:
    before = sorted(run.rglob("*"))
    assert mend(run) == []
    assert sorted(run.rglob("*")) == before


@pytest.mark.parametrize("table", ["units", "cells", "predictions", "warnings"])
@pytest.mark.parametrize("file", ["part-0000001.parquet", f"{NAMES[3]}.parquet"])
def test_damaged_parquet_is_made_again_from_the_logs(run: Path, table: str, file: str) -> None:
    before = _all(run)
    _cut(run / table / file)
    damaged = Run.open(run)
    assert len(damaged.table(table)) == len(before[table])
    assert len(damaged.problems) == 1
    assert damaged.lost == [], "the logs hold it"
    said = mend(run)
    assert f"{table}/{file} cannot be read" in said[0]
    assert f"put aside as {file}.damaged" in said[0]
    assert (run / table / f"{file}.damaged").exists()
    assert _all(run) == before
    assert mend(run) == []


def test_damaged_log_is_written_again_from_parquet(run: Path) -> None:
    before = _all(run)
    for name in (NAMES[0], NAMES[3]):
        _cut(log_file(run, name))
    said = mend(run)
    assert len(said) == 2
    assert all("written again from its Parquet" in sentence for sentence in said)
    assert len(list((run / "logs").glob("*.damaged"))) == 2
    assert _all(run) == before
    for table in TABLES:
        shutil.rmtree(run / table, ignore_errors=True)
    after = _all(run)
    assert {name: rows for name, rows in after.items() if name != "baselines"} == {
        name: rows for name, rows in before.items() if name != "baselines"
    }


@pytest.mark.parametrize("table", ["epochs", "terms", "cells", "warnings", "units", "predictions"])
@pytest.mark.parametrize("gone", ["part", "unit", "folder"])
def test_what_is_not_there_is_made_again_from_the_logs(run: Path, table: str, gone: str) -> None:
    before = _all(run)
    if gone == "folder":
        shutil.rmtree(run / table)
    else:
        name = "part-0000001" if gone == "part" else NAMES[3]
        (run / table / f"{name}.parquet").unlink()
    opened = Run.open(run)
    if table != "predictions":
        assert sorted(map(str, opened.table(table).astype(object).to_numpy().tolist())) == before[table]
    said = mend(run)
    if (table, gone) == ("units", "unit"):
        assert said == [], "a unit that was killed at its very end is read from its log until it is compacted"
    else:
        count = {"part": "3 units", "unit": "1 unit", "folder": "4 units"}[gone]
        if (table, gone) == ("units", "folder"):
            count = "3 units"
        assert said == [f"{table}: rows of {count} not in any file, made again from their logs"]
    assert _all(run) == before
    assert mend(run) == []


def test_a_reader_says_which_rows_no_file_has(run: Path) -> None:
    (run / "cells" / f"{NAMES[3]}.parquet").unlink()
    opened = Run.open(run)
    assert len(opened.table("cells")) == 4
    assert opened.problems == [f"cells: no file has the rows of {NAMES[3]}, and the logs were read instead"]


def test_what_neither_files_nor_logs_hold_is_run_again(run: Path) -> None:
    log_file(run, NAMES[0]).unlink()
    whole = (run / "cells" / "part-0000001.parquet").read_bytes()
    _cut(run / "cells" / "part-0000001.parquet")
    opened = Run.open(run)
    assert len(opened.table("cells")) == 3
    assert opened.lost == opened.problems != []
    (run / "cells" / "part-0000001.parquet").write_bytes(whole)
    shutil.rmtree(run / "cells")
    assert mend(run)[-1] == f"nothing holds all rows of {NAMES[0]} any more: to be run again"
    assert len(_all(run)["units"]) == 3


@pytest.mark.parametrize("file", ["part-0000001.parquet", f"{NAMES[3]}.parquet"])
@pytest.mark.parametrize("other", ["epochs", "units"])
def test_a_file_of_another_table_or_unit_is_damaged(run: Path, file: str, other: str) -> None:
    before = _all(run)
    shutil.copy(run / other / file, run / "cells" / file)
    opened = Run.open(run)
    assert len(opened.table("cells")) == 4
    assert opened.problems[0] == f"cells/{file} cannot be read: it is a file of the table {other}"
    assert f"(it is a file of the table {other}) and was put aside" in mend(run)[0]
    assert _all(run) == before
    shutil.copy(run / "cells" / f"{NAMES[3]}.parquet", run / "cells" / f"{NAMES[1]}.parquet")
    opened = Run.open(run)
    assert len(opened.table("cells")) == 4
    assert opened.problems == [
        f"cells/{NAMES[1]}.parquet cannot be read: it has rows of another unit, {NAMES[3]}"
    ]
    mend(run)
    for name in ("units", "epochs"):
        single = run / name / f"{NAMES[0]}.parquet"
        shutil.copy(run / name / f"{NAMES[3]}.parquet", single)
        assert f"it has rows of another unit, {NAMES[3]}" in mend(run)[0]
        assert not single.exists()
        assert _all(run) == before


def test_empty_file_of_trials_is_damaged_and_made_again(run: Path) -> None:
    before = _all(run)
    RunWriter(run).write("units", NAMES[3], [])
    assert f"units/{NAMES[3]}.parquet cannot be read (it has 0 rows for 1 units)" in mend(run)[0]
    assert _all(run) == before
    RunWriter(run).write("units", NAMES[3], [])
    log_file(run, NAMES[3]).write_bytes(bytes(500) + log_file(run, NAMES[3]).read_bytes()[500:])
    assert f"nothing holds all rows of {NAMES[3]} any more: to be run again" in mend(run)
    kept = [path for path in run.glob(f"*/{NAMES[3]}*") if path.suffix in (".parquet", ".pt")]
    assert kept == []
    assert len(Run.open(run).table("units")) == 3
    assert mend(run) == []


def test_log_without_the_end_of_its_unit_is_not_exported(run: Path) -> None:
    file = log_file(run, NAMES[3])
    written = (run / "units" / f"{NAMES[3]}.parquet").read_bytes()
    _cut(file)
    with pytest.raises(UserError, match="is damaged: it does not say how its unit ended"):
        export(run, UnitLog.read(file))
    assert (run / "units" / f"{NAMES[3]}.parquet").read_bytes() == written


def test_deleted_log_is_not_begun_in_the_middle(run: Path) -> None:
    file = log_file(run, NAMES[3])
    writer = LogWriter(file, UnitLog.read(file).mark)
    file.unlink()
    with pytest.raises(UserError, match="was deleted or cut while its unit ran"):
        writer.append(rows_frame({"epochs": 2}, {}))
    assert not file.exists()


def test_what_is_no_file_or_no_folder_is_put_aside_or_said(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _all(run)
    for name, make in ((NAMES[0], Path.mkdir), (NAMES[3], lambda file: file.symlink_to(run / "nothing"))):
        log_file(run, name).unlink()
        make(log_file(run, name))
    said = mend(run)
    assert len(said) == 2
    assert all("it is no file" in sentence for sentence in said)
    assert _all(run) == before
    (run / "cells" / f"{NAMES[3]}.parquet").unlink()
    (run / "cells" / f"{NAMES[3]}.parquet").mkdir()
    assert f"cells/{NAMES[3]}.parquet cannot be read" in mend(run)[0]
    assert _all(run) == before
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: Path(path).name != "cells")
        for reads in (lambda: mend(run), lambda: Run.open(run).table("cells")):
            with pytest.raises(UserError, match=r"cells cannot be read \(Permission denied\)"):
                reads()
    real = Path.read_bytes

    def denied(file: Path) -> bytes:
        if file == log_file(run, NAMES[1]):
            raise PermissionError(13, "Permission denied")
        return real(file)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", denied)
        with pytest.raises(UserError, match=rf"{NAMES[1]}.log cannot be read \(Permission denied\)"):
            mend(run)
    shutil.move(run / "units", run / "kept")
    (run / "units").write_text("")
    with pytest.raises(UserError, match=r"units cannot be read \(Not a directory\)"):
        mend(run)


def test_the_log_of_another_unit_is_not_taken_for_ones_own(run: Path) -> None:
    before = _all(run)
    shutil.copy(log_file(run, NAMES[1]), log_file(run, NAMES[0]))
    (said,) = mend(run)
    assert f"it is the log of another unit, {NAMES[1]}" in said
    assert "written again from its Parquet" in said
    shutil.copy(log_file(run, NAMES[1]), log_file(run, NAMES[0]))
    _cut(run / "cells" / "part-0000001.parquet")
    assert f"nothing holds all rows of {NAMES[0]} any more: to be run again" in mend(run)
    kept = Run.open(run)
    assert sorted(kept.table("cells")["aupr"]) == [1 / 7, 2 / 7, 3 / 7]
    assert len(kept.table("units")) == 3
    assert len(before["units"]) == 4


def test_what_nothing_holds_any_more_is_taken_out_to_run_again(run: Path) -> None:
    log_file(run, NAMES[0]).unlink()
    _cut(run / "epochs" / "part-0000001.parquet")
    said = mend(run)
    assert said[-1] == f"nothing holds all rows of {NAMES[0]} any more: to be run again"
    trials = Run.open(run).table("units")
    assert len(trials) == 3
    assert (trials["seed"] + 0).tolist().count(0) == 1
    assert not (run / "checkpoints" / NAMES[0] / "last.pt").exists(), "it would vouch for rows that are gone"


def test_a_killed_unit_that_ended_in_its_log_is_compacted(run: Path) -> None:
    before = _all(run)
    for file in run.glob(f"*/{NAMES[3]}.parquet"):
        file.unlink()
    assert _all(run) == before
    compactor = Compactor(run)
    compactor.collect_left(NAMES)
    compactor.finish()
    assert _all(run) == before
    assert not list(run.glob(f"*/{NAMES[3]}.parquet"))


def _both(run: Path, target: Path) -> dict[str, list[str]]:
    one, other = _all(run), _all(target) if target.is_dir() and any(target.iterdir()) else {}
    return {name: sorted([*rows, *other.get(name, [])]) for name, rows in one.items()}


@pytest.mark.parametrize("instant", range(0, 34, 3))
def test_units_move_whole_whenever_the_move_is_interrupted(
    run: Path, monkeypatch: pytest.MonkeyPatch, instant: int
) -> None:
    before, target, chosen = (
        _all(run),
        run / "earlier" / "stamp",
        [NAMES[0], NAMES[2], NAMES[3], "never-was-1"],
    )
    counted = killed_after(instant)
    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "fsync"):
            patch.setattr(os, name, counted(getattr(os, name)))
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        try:
            move_units(run, chosen, target)
        except Killed:
            held = {log.stem for folder in (run, target) for log in (folder / "logs").glob("*.log")}
            assert held == set(NAMES), "no log is lost"
    move_units(run, chosen, target)
    move_units(run, chosen, target)
    assert _both(run, target) == before
    assert Run.open(run).table("units")["seed"].tolist() == [1]
    assert {path.name for path in (target / "checkpoints").iterdir()} == {NAMES[0], NAMES[2], NAMES[3]}
    assert {path.stem for path in (run / "logs").glob("*.log")} == {NAMES[1]}
    assert [path.name for path in (run / "checkpoints").iterdir()] == [NAMES[1]]


def test_a_moved_unit_replaces_what_is_there_and_may_begin_anew(run: Path) -> None:
    target = run / "earlier" / "stamp"
    move_units(run, NAMES[:1], target)
    assert len(_all(target)["units"]) == 1
    compact(target / "units", NAMES[:1])
    move_units(target, NAMES[:1], run)
    move_units(run, NAMES[:1], target)
    assert len(_all(target)["units"]) == 1
    assert len(_all(run)["units"]) == 3
