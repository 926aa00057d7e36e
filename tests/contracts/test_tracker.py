"""Every tracker: what was written reads back, a second export adds what is new and nothing twice."""

import dataclasses
import importlib.util
import math
import sys
from collections import Counter
from pathlib import Path

import pytest

from analysis.export.exporter import Exporter
from analysis.export.stored_unit import stored_rows, stored_units
from analysis.export.trackers import TRACKERS
from analysis.export.unit_run import tracked_unit
from analysis.store import Run
from tests.contracts.tracked import READERS, Read
from tests.recorded.copies import Copy, write_run, write_unit

LINES = {"C4": "K562+x | y", "C5": "HepG2/b"}
COPY = Copy(
    "abc123",
    {"energy.form": "gated", "decouple.reach": "z_i"},
    "gated",
    lines=LINES,
    epoch={"loss": math.nan},
)
PLAIN = dataclasses.replace(COPY, lines={}, config="def456", changes={})
EXACT = {"tensorboard": 1e-6}
"""Tracker -> relative error that its numbers have: TensorBoard keeps 32 bits."""
INSTALLED = [
    pytest.param(
        key,
        marks=pytest.mark.skipif(
            tracker.client is not None and importlib.util.find_spec(tracker.client) is None,
            reason=f"{tracker.client} is not installed: docs/trackers.md has the command that tests it",
        ),
    )
    for key, tracker in TRACKERS.items()
]
TRACKER = pytest.mark.parametrize("key", INSTALLED)


def export(run: Path, key: str, out: Path) -> Exporter:
    """One export from its beginning to its end."""
    exporter = Exporter(run, key, out)
    try:
        exporter.whole()
    finally:
        exporter.close()
    return exporter


def read(key: str, out: Path) -> dict[str, Read]:
    """What the tracker has by key, each once."""
    runs = READERS[key](out, "run")
    assert max(Counter(name for name, _ in runs).values()) == 1, "a run that is there twice"
    return dict(runs)


def spelt(key: str, name: str) -> str:
    """A metric's name as the tracker has it."""
    if key != "mlflow":
        return name
    from analysis.export.mlflow_tracker import spelt

    return spelt(name)


@pytest.fixture(autouse=True)
def own_trackio(monkeypatch: pytest.MonkeyPatch) -> None:
    """trackio settles where its files lie when it is imported."""
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two configurations, two seeds, two folds, cell lines with odd names, and a loss that is not a number."""
    return write_run(tmp_path / "run", [COPY, PLAIN], seeds=(0, 1), folds=("chr8", "chr9"))


@TRACKER
def test_what_was_written_reads_back(key: str, run: Path, tmp_path: Path) -> None:
    exported = export(run, key, tmp_path / "out").exported
    assert (exported.units, exported.configurations) == (8, 2)
    runs = read(key, tmp_path / "out")
    store = Run.open(run)
    rows = stored_rows(store)
    assert set(runs) == {*rows, "abc123", "def456"}
    unit_of = stored_units(store, rows)
    for name in rows:
        expected, there = tracked_unit(unit_of(name), "any"), runs[name]
        for values, place in ((expected.series, there.series), ([(0, expected.finals)], {0: there.finals})):
            for step, metrics in values:
                named = {spelt(key, metric): value for metric, value in metrics.items()}
                assert place[step] == pytest.approx(named, rel=EXACT.get(key, 0), abs=0, nan_ok=True)
        assert set(there.series) == {1, 2, 3}
        assert there.params["energy.form"] == (
            "gated" if name.startswith("abc") else expected.params["energy.form"]
        )
        assert set(expected.params) <= set(there.params)
        for tag in ("kind", "config", "fold", "seed", "status", "warnings", "stamp", "code", "data"):
            assert there.tags.get(tag, "") == expected.tags[tag]
    assert runs["abc123"].tags["kind"] == "configuration"
    assert runs["abc123"].tags["units"] == "4 of 4"


@TRACKER
def test_a_second_export_writes_nothing(key: str, run: Path, tmp_path: Path) -> None:
    export(run, key, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*tfevents*")}
    before |= {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.csv")}
    exported = export(run, key, tmp_path / "out").exported
    assert (exported.units, exported.configurations, exported.unchanged) == (0, 0, 10)
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    assert len(read(key, tmp_path / "out")) == 10


@TRACKER
def test_a_new_unit_is_added_to_what_is_there(key: str, run: Path, tmp_path: Path) -> None:
    export(run, key, tmp_path / "out")
    old = read(key, tmp_path / "out")
    for fold in ("chr8", "chr9"):
        write_unit(run, dataclasses.replace(COPY, lift=0.1), 2, fold)
    exported = export(run, key, tmp_path / "out").exported
    # Without a plan the other configuration now lacks a seed, as in the ranking, and says so.
    assert (exported.units, exported.configurations, exported.replaced) == (2, 2, 2)
    new = read(key, tmp_path / "out")
    assert new["def456"].tags["units"] == "4 of 6"
    assert set(new) - set(old) == {"abc123-chr8-2", "abc123-chr9-2"}
    changed = {name for name in old if repr(new[name].finals) != repr(old[name].finals)}
    assert changed == {"abc123"}
    assert new["abc123"].tags["seeds"] == "3"


@TRACKER
def test_a_unit_that_ran_anew_replaces_its_run(key: str, run: Path, tmp_path: Path) -> None:
    export(run, key, tmp_path / "out")
    old = read(key, tmp_path / "out")
    write_unit(run, dataclasses.replace(PLAIN, lift=0.1, unit={"wall_s": 1.5}), 0, "chr8")
    exported = export(run, key, tmp_path / "out").exported
    assert (exported.units, exported.configurations, exported.replaced) == (1, 1, 2)
    new = read(key, tmp_path / "out")
    assert set(new) == set(old)
    metric = "final/val_unseen/macro/aupr"
    assert new["def456-chr8-0"].finals[metric] > old["def456-chr8-0"].finals[metric]
    assert new["def456-chr8-1"].finals[metric] == old["def456-chr8-1"].finals[metric]


@TRACKER
def test_what_a_kill_left_unnoted_is_not_there_twice(key: str, run: Path, tmp_path: Path) -> None:
    export(run, key, tmp_path / "out")
    (state,) = (tmp_path / "out").glob(f".{key}-*.jsonl")
    lines = state.read_bytes().splitlines(keepends=True)
    state.write_bytes(b"".join(lines[:4]) + lines[4][:9])
    exported = export(run, key, tmp_path / "out").exported
    assert exported.units + exported.configurations == 10 - 3
    assert len(read(key, tmp_path / "out")) == 10


def test_every_tracker_has_a_reader_and_a_way_to_look() -> None:
    assert set(READERS) == set(TRACKERS)
    for key, tracker in TRACKERS.items():
        assert tracker.key == key
        assert "{out}" in tracker.opened
        assert (tracker.__doc__ or "").strip()
