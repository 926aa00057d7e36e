"""`track:` in a sweep: the driver exports what ended, a tracker that fails ends nothing, and mistakes are early."""

import csv
from pathlib import Path

import pytest

from analysis.errors import UserError
from analysis.export.csv_tracker import CsvTracker
from analysis.export.exporter import Exporter
from analysis.export.trackers import TRACKERS
from harness.config.sweep.sweep import load_sweep
from harness.sweep.tracking import refuse_absent, tracking
from tests.harness.conftest import MakeUnit
from tests.harness.small_sweeps import NEVER

Tables = dict[str, list[dict[str, str]]]


def whole(run: Path, out: Path) -> Tables:
    """What an export of the whole run gives, by file."""
    exporter = Exporter(run, "csv", out)
    exporter.whole()
    exporter.close()
    return tables(out)


def tables(out: Path) -> Tables:
    """The rows of every CSV in order of what they say: in the file it is that in which units ended."""
    rows = {file.name: csv.DictReader(file.read_text().splitlines()) for file in out.glob("*.csv")}
    return {name: sorted(each, key=lambda row: sorted(row.items())) for name, each in rows.items()}


def trained(make_unit: MakeUnit, seed: int) -> tuple[str, Path]:
    """A unit that has ended: its name and run."""
    unit = make_unit({"optimiser.epochs": 1}, seed=seed)
    while not unit.finished:
        unit.advance()
    return unit.unit, unit.run.path


def test_units_tracked_as_they_end_are_those_of_an_export(make_unit: MakeUnit, tmp_path: Path) -> None:
    said: list[str] = []
    _, run = trained(make_unit, 0)
    with tracking(run, ["csv"], said.append) as track:
        assert len(tables(run / "export" / "csv")["units.csv"]) == 1, "what ended before"
        name, _ = trained(make_unit, 1)
        track(iter([name]))
        tracked = tables(run / "export" / "csv")
        assert tracked == whole(run, tmp_path / "whole")
    assert tables(run / "export" / "csv") == tracked
    assert said == []


def test_what_ended_unnamed_is_exported_at_the_end(make_unit: MakeUnit) -> None:
    _, run = trained(make_unit, 0)
    with tracking(run, ["csv"], print):
        name, _ = trained(make_unit, 1)
    assert name in {row["key"] for row in tables(run / "export" / "csv")["units.csv"]}


def test_a_tracker_that_fails_is_said_once_and_ends_nothing(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(CsvTracker):
        def flush(self) -> None:
            raise RuntimeError("the server is away\nand more")

    said: list[str] = []
    name, run = trained(make_unit, 0)
    monkeypatch.setitem(TRACKERS, "csv", Failing)
    with tracking(run, ["csv"], said.append) as track:
        track([name])
    (sentence,) = said
    assert sentence == (
        f"track: csv is written no further (the server is away); afterwards python -m analysis export {run} --to csv has "
        "everything"
    )
    monkeypatch.undo()
    assert name in {row["key"] for row in whole(run, run / "export" / "csv")["units.csv"]}


def test_a_tracker_without_its_client_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TRACKERS["mlflow"], "client", "no_such_module")
    with pytest.raises(
        UserError, match=r"mlflow: its client is not installed here; .*pip install mlflow-skinny"
    ):
        refuse_absent(["csv", "mlflow"])


def test_an_unknown_tracker_of_a_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(NEVER + "track: [csv, tensorbord]\n")
    with pytest.raises(
        UserError, match=r"sweep.yaml:\d+: track: 'tensorbord' is not a tracker .*did you mean 'tensorboard'"
    ):
        load_sweep(file)
