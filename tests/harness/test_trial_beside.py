"""One trial alone joins no folder whose units were made with something else."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.single.__main__ import OBJECTIVE, main
from harness.stamp.stamp import Stamp
from harness.store.writer import RunWriter


def test_the_command_of_one_trial_refuses_at_once_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"config": "a" * 12, "fold": "b" * 12, "seed": 0, "status": "done", "epochs": 3}
    stamp = Stamp(data="d" * 64, objective=OBJECTIVE)
    unit = f"{row['config']}-{row['fold']}-0"
    RunWriter(tmp_path / "run").write("trials", unit, [{**row, **stamp.row()}])
    before = sorted((tmp_path / "run").rglob("*"))
    command = [
        "harness.single",
        "minimal",
        "--seeds",
        "1",
        "--out",
        str(tmp_path / "run"),
        "--cache",
        str(tmp_path),
    ]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(UserError, match="1 unit is of another data set"):
        main()
    assert sorted((tmp_path / "run").rglob("*")) == before
