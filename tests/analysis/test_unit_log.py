"""A unit's log gives back what was written, stops at what is no frame, and counts in a run where Parquet is not yet."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analysis.errors import UserError
from analysis.schema import SCHEMA_VERSION, to_table
from analysis.store import Run
from analysis.unit_log import START, UnitLog, advance, log_file, rows_frame, table_frame
from tests.recorded.copies import write

KEY = {"config": "a", "fold": "f", "seed": 1}
BEGAN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FRAMES = [
    rows_frame({**KEY, "status": "running", "epochs": 0, "started": BEGAN, "finished": None}, {}),
    rows_frame(
        {"epochs": 1}, {"epochs": [{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": float("nan")}]}
    ),
    table_frame("embeddings", to_table("embeddings", [{**KEY, "cell_line": "K562", "z_e": [0.5, 1.0]}])),
    rows_frame({"status": "done", "finished": BEGAN}, {"warnings": []}),
]


def _log(run: Path, data: bytes, unit: str = "a-f-1") -> Path:
    file = log_file(run, unit)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def test_rows_come_back_exactly(tmp_path: Path) -> None:
    log = UnitLog.read(_log(tmp_path, b"".join(FRAMES)))
    assert log.ended
    assert log.damage is None
    assert log.row["started"] == BEGAN
    rows = log.rows("epochs")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[0]["loss"] == 0.1 + 0.2
    assert log.table("embeddings")["z_e"].to_pylist() == [[0.5, 1.0]]
    assert log.table("units").to_pylist()[0]["finished"] == BEGAN
    assert log.table("reports").num_rows == 0


@pytest.mark.parametrize("name", ["nothing", "units"])
def test_what_the_schema_does_not_have_is_not_written(name: str) -> None:
    with pytest.raises(ValueError, match="table"):
        rows_frame({}, {name: [{"colour": 1}]})


def test_cut_off_anywhere_the_whole_frames_before_count(tmp_path: Path) -> None:
    data, ends, mark = b"".join(FRAMES), [0], START
    for frame in FRAMES:
        mark = advance(mark, frame)
        ends.append(mark.length)
    for length in sorted({*range(0, len(data), 17), *ends[:-1], *(end + 1 for end in ends[:-1])}):
        log = UnitLog.read(_log(tmp_path, data[:length]))
        whole = sum(end <= length for end in ends) - 1
        assert log.mark.length == ends[whole]
        assert not log.ended
        assert log.damage is None
        assert log.torn == (length not in ends)
    assert mark in UnitLog.read(_log(tmp_path, data)).marks


def test_a_changed_byte_anywhere_is_found(tmp_path: Path) -> None:
    data = b"".join(FRAMES)
    whole = UnitLog.read(_log(tmp_path, data))
    for at in range(0, len(data), 11):
        changed = bytearray(data)
        changed[at] ^= 0x10
        log = UnitLog.read(_log(tmp_path, bytes(changed)))
        assert not log.ended
        assert log.mark.length <= at
        assert whole.mark not in log.marks


def test_a_log_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("analysis.unit_log.SCHEMA_VERSION", SCHEMA_VERSION - 1)
        _log(tmp_path, rows_frame({**KEY, "status": "running"}, {}))
    with pytest.raises(UserError, match=f"version {SCHEMA_VERSION - 1}, and this program reads"):
        Run.open(tmp_path).table("units")


def test_a_running_unit_is_read_from_its_log_a_filed_one_once(tmp_path: Path) -> None:
    _log(tmp_path, b"".join(FRAMES[:2]))
    other = rows_frame({**KEY, "config": "b", "status": "running", "epochs": 0}, {})
    embeddings = to_table("embeddings", [{**KEY, "config": "b", "cell_line": "K562"}])
    _log(tmp_path, b"".join([other, FRAMES[1], table_frame("embeddings", embeddings), FRAMES[3]]), "b-f-1")
    run = Run.open(tmp_path)
    assert run.table("units")["status"].tolist() == ["running", "done"]
    assert run.problems == []
    write(tmp_path, "epochs", "a-f-1.parquet", [{**KEY, "epoch": 1}])
    write(tmp_path, "units", "a-f-1.parquet", [{**KEY, "status": "done"}])
    again = Run.open(tmp_path)
    assert again.table("units")["status"].tolist() == ["done", "done"]
    assert again.table("epochs")["epoch"].tolist() == [1, 1, 2]
    assert len(again.table("embeddings")) == 1, "only of the unit that Parquet does not have"


def test_unreadable_parquet_is_named_and_its_log_is_read(tmp_path: Path) -> None:
    _log(tmp_path, b"".join(FRAMES))
    for name in ("epochs", "units"):
        write(tmp_path, name, "a-f-1.parquet", [{**KEY}])
    file = tmp_path / "epochs" / "a-f-1.parquet"
    file.write_bytes(file.read_bytes()[:100])
    run = Run.open(tmp_path)
    assert run.table("epochs")["epoch"].tolist() == [1, 2]
    assert len(run.problems) == 1
    assert run.problems[0].startswith("epochs/a-f-1.parquet cannot be read")
    assert run.lost == []
    log_file(tmp_path, "a-f-1").unlink()
    without = Run.open(tmp_path)
    assert without.table("epochs").empty
    assert without.lost == without.problems != []


def test_a_damaged_log_of_a_running_unit_is_said(tmp_path: Path) -> None:
    data = bytearray(b"".join(FRAMES[:2]))
    data[-3] ^= 1
    _log(tmp_path, bytes(data))
    run = Run.open(tmp_path)
    assert run.table("epochs").empty
    assert run.table("units")["epochs"].tolist() == [0]
    assert "logs/a-f-1.log is damaged" in run.problems[0]
    assert len(run.problems) == 1
    assert run.lost == run.problems


def test_a_log_under_another_units_name_counts_for_nothing(tmp_path: Path) -> None:
    foreign = UnitLog.read(_log(tmp_path, b"".join(FRAMES), "a-f-2"))
    assert foreign.damage == "it is the log of another unit, a-f-1"
    assert not foreign.ended
    assert foreign.marks == {START}
    assert foreign.table("epochs").num_rows == 0
    assert foreign.row == {}
    late = rows_frame({**KEY, "seed": 2, "status": "done"}, {})
    assert (
        UnitLog.read(_log(tmp_path, FRAMES[0] + late, "a-f-1")).damage
        == "it is the log of another unit, a-f-2"
    )
    run = Run.open(tmp_path)
    assert run.table("units").empty
    assert run.problems == [
        f"logs/{name}.log is damaged: it is the log of another unit, {owner}; no rows of it were read"
        for name, owner in (("a-f-1", "a-f-2"), ("a-f-2", "a-f-1"))
    ]


def test_a_folder_or_a_link_to_nothing_is_a_damaged_log(tmp_path: Path) -> None:
    log_file(tmp_path, "a-f-1").mkdir(parents=True)
    log_file(tmp_path, "a-f-2").symlink_to(tmp_path / "nothing")
    damages = [UnitLog.read(log_file(tmp_path, name)).damage for name in ("a-f-1", "a-f-2")]
    assert damages == ["it is no file (Is a directory)", "it is no file (No such file or directory)"]
    with pytest.raises(FileNotFoundError):
        UnitLog.read(log_file(tmp_path, "a-f-3"))
