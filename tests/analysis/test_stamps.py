"""Units of several stamps never stand in one mean, whoever put them into one store."""

import fcntl
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from analysis.__main__ import print_ranking
from analysis.console import plain_console
from analysis.effects import compare
from analysis.errors import UserError
from analysis.ranking import rank
from analysis.schema import LOCK
from analysis.stamps import STAMPS, agree, earlier_runs, mixture
from analysis.store import Run
from tests.recorded.copies import COPIES, Copy, write, write_run

STAMP = dict.fromkeys(STAMPS, "x") | {"stamp": "s", "code": "one"}


def _stamp(run: Path, seeds: tuple[int, ...] = (2,), **others: str | None) -> None:
    """Give every unit a stamp, and those of some seeds another one."""
    for file in sorted((run / "units").glob("*.parquet")):
        (row,) = pq.read_table(file).to_pylist()
        write(run, "units", file.name, [{**row, **STAMP, **(others if row["seed"] in seeds else {})}])


def _modules(run: Path, **codes: dict[str, str]) -> None:
    (run / "code").mkdir(exist_ok=True)
    for code, modules in codes.items():
        (run / "code" / f"{code}.json").write_text(json.dumps({"modules": modules}))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", COPIES[:2])


def test_units_of_one_stamp_and_of_older_stores_are_ranked(run: Path) -> None:
    assert mixture(Run.open(run)) is None
    _stamp(run, seeds=(0, 1, 2), **dict.fromkeys(STAMPS))
    assert mixture(Run.open(run)) is None, "of an older store"
    _stamp(run)
    assert mixture(Run.open(run)) is None
    assert len(rank(Run.open(run)).configurations) == 2


@pytest.mark.parametrize("name", STAMPS)
def test_units_of_unlike_stamps_are_refused_with_the_difference(run: Path, name: str) -> None:
    other: dict[str, Any] = {name: "another"}
    _stamp(run, **other)
    for read in (rank, lambda opened: compare(opened, "energy.form", "linear", "gated")):
        with pytest.raises(
            UserError, match=r"stand together: 4 and 2 units, and their mean would mean nothing"
        ):
            read(Run.open(run))


def test_unknown_stamps_beside_known_ones_are_refused(run: Path) -> None:
    file = sorted((run / "units").glob("*.parquet"))[0]
    (row,) = pq.read_table(file).to_pylist()
    write(run, "units", file.name, [{**row, **dict.fromkeys(STAMP)}])
    with pytest.raises(UserError, match="5 and 1 units"):
        rank(Run.open(run))


def test_older_code_is_ranked_and_counted_where_asked_for(run: Path) -> None:
    _stamp(run, code="two")
    (run / "plan.json").write_text(json.dumps({"reused": ["s"]}))
    ranking = rank(Run.open(run))
    assert ranking.mixture is not None
    assert ranking.mixture.sentence() == "units that differ in code stand together: 4 and 2 units"
    _stamp(run, code="two", objective="another")
    with pytest.raises(UserError, match="differ in code and objective stand together"):
        rank(Run.open(run))


def test_codes_that_agree_in_every_module_that_both_have_are_one(run: Path) -> None:
    _stamp(run, code="two")
    _modules(run, one={"a": "1", "b": "2"}, two={"a": "1", "b": "2", "later": "3"})
    assert mixture(Run.open(run)) is None
    _modules(run, two={"a": "1", "b": "changed", "later": "3"})
    assert mixture(Run.open(run)) is not None
    assert not agree({}, {"a": "1"}), "nobody knows"
    assert not agree({"a": "1"}, {"b": "1"}), "nobody knows"


def test_a_unit_that_never_trained_is_in_no_mean(run: Path) -> None:
    _stamp(run, code="two")
    for file in (run / "units").glob("*-2.parquet"):
        (row,) = pq.read_table(file).to_pylist()
        write(run, "units", file.name, [{**row, "status": "failed", "epochs": 0}])
    assert mixture(Run.open(run)) is None


def test_folds_no_longer_asked_for_are_in_no_table(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", COPIES[:2], folds=("fa", "fb"))
    assert set(rank(Run.open(run)).configurations["folds"]) == {2}
    fold = {"test": ["NHEK"], "val": ["K562"], "chromosomes": ["chr8"]}
    plan = {"folds": {"fb": {"name": "fold0", **fold}}, "other_folds": {"fa": {"name": "fold0", **fold}}}
    (run / "plan.json").write_text(json.dumps({**plan, "seeds": [0, 1, 2]}))
    opened = Run.open(run)
    ranking = rank(opened)
    alone = rank(Run.open(write_run(tmp_path / "alone", COPIES[:2], folds=("fb",))))
    assert ranking.configurations["value"].tolist() == alone.configurations["value"].tolist()
    for mine, its in ((ranking.findings, alone.findings), (ranking.unevaluated, alone.unevaluated)):
        pd.testing.assert_frame_equal(mine, its)
    assert (opened.judged()["unit"] >= 0).all()
    assert ranking.configurations["complete"].all()
    assert set(ranking.baselines["folds"]) == {1}
    for name in ("units", "epochs", "terms", "cells", "baselines"):
        assert set(opened.table(name)["fold"]) == {"fb"}, name
    assert set(opened.as_found()["fold"]) == {"fb"}
    assert set(opened.columns("units", ["fold"])["fold"]) == {
        "fa",
        "fb",
    }
    label = "fold0 (test NHEK; validation K562; held out chr8)"
    assert opened.fold_labels() == {"fb": label, "fa": label}


def test_seeds_and_configurations_not_asked_for_are_counted_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", COPIES[:2], folds=("fa",))
    first, second = (copy.config for copy in COPIES[:2])
    fold = {"name": "fold0", "test": ["NHEK"], "val": ["K562"], "chromosomes": ["chr8"]}
    plan = {"folds": {"fa": fold}, "seeds": [0, 1], "other_seeds": [2], "other_configs": [second]}
    (run / "plan.json").write_text(json.dumps({**plan, "configs": [{"id": first}, {"id": second}]}))
    opened = Run.open(run)
    for name in ("units", "epochs", "terms", "cells"):
        table = opened.table(name)
        assert (set(table["config"]), set(table["seed"])) == ({first}, {0, 1}), name
    assert opened.unasked() == 4
    assert [entry["id"] for entry in opened.plan()["configs"]] == [first]
    ranking = rank(opened)
    assert ranking.configurations["complete"].all()
    assert ranking.configurations["seeds"].tolist() == [2]
    print_ranking(run, console=plain_console())
    assert "left out: 4 units of folds, seeds or configurations" in " ".join(capsys.readouterr().out.split())


def test_running_is_believed_while_a_driver_holds_its_lock(tmp_path: Path) -> None:
    copies = (COPIES[0], Copy("eee555", {}, status="running"))
    run = write_run(tmp_path / "run", copies, seeds=(0, 1))
    assert rank(Run.open(run)).left_out == {"running": 2}, "no driver ever was: one trial alone, perhaps"
    with (run / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert rank(Run.open(run)).left_out == {"running": 2}
    assert rank(Run.open(run)).left_out == {"interrupted": 2}


def test_what_was_put_aside_is_counted_with_its_reason(run: Path) -> None:
    assert earlier_runs(Run.open(run)) == []
    aside = write_run(run / "earlier" / "abc", COPIES[:1])
    (aside / "earlier.json").write_text(json.dumps({"why": "other code"}))
    (run / "earlier" / "empty").mkdir()
    assert earlier_runs(Run.open(run)) == [(aside, 3, "other code")]
