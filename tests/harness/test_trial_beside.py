"""One trial alone joins no folder whose units were made with something else."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.single.command import OBJECTIVE, main
from harness.stamp.stamp import Stamp
from harness.store.writer import RunWriter
from tests.harness.small_data import small_tables, write_parquet


def test_one_trial_joins_no_run_of_other_data_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"config": "a" * 12, "fold": "b" * 12, "seed": 0, "status": "done", "epochs": 3}
    stamp = Stamp(data="d" * 64, objective=OBJECTIVE)
    unit = f"{row['config']}-{row['fold']}-0"
    RunWriter(tmp_path / "run").write("units", unit, [{**row, **stamp.row()}])
    before = sorted((tmp_path / "run").rglob("*"))
    data = write_parquet(tmp_path / "data", small_tables())
    sets = ("--set", "support.size=4", "--set", "episode.query=4")
    places = ("--out", tmp_path / "run", "--data", data, "--cache", tmp_path)
    monkeypatch.setattr(
        "sys.argv", ["harness.single", "minimal", "--seeds", "1", *map(str, (*places, *sets))]
    )
    with pytest.raises(UserError, match="1 unit is of another data set"):
        main()
    assert sorted((tmp_path / "run").rglob("*")) == before
