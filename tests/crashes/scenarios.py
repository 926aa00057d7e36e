"""The catalogue of scenarios."""

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from analysis.export.exporter import Exporter
from analysis.schema import OF_FOLDS, TABLES
from analysis.stamps import EARLIER
from analysis.store import Run
from analysis.unit_log import log_file
from harness.design.plan import Plan, Unit
from harness.runs.combining import combine
from harness.runs.notes import Notes, change_notes
from harness.runs.pruning import prune
from harness.store.compaction import Compactor
from harness.store.mending import mend
from harness.sweep.run.aside import Aside, complete_moves, move_back, put_aside
from harness.sweep.run.lock import only_driver
from harness.sweep.run.stored import stored_units
from harness.sweep.run.unrun import Unrun
from harness.sweep.run.verdict import Verdict
from tests.crashes.scenario import Scenario, Told
from tests.crashes.stub_sweep import YAML, content, records, rows, start

PRESENT = ("units", "epochs", "terms", "cells", "predictions")
"""Tables that a stub unit fills."""
OTHER = "other"


def finished(folder: Path) -> None:
    """A run whose units have ended, with everything that a sweep leaves; made once for all scenarios."""
    made = folder.parents[1] / "finished" / "once"
    if not made.exists():
        made.mkdir(parents=True)
        (made.parent / "stub.yaml").write_text(YAML)
        start(made)
    shutil.copytree(made / "run", folder / "run")


def table_rows(run: Path) -> dict[str, list[str]]:
    return {name: rows(run, name) for name in PRESENT}


class Sweep(Scenario):
    """Driver and worker of a sweep from its first line to its last."""

    def prepare(self, folder: Path) -> None:
        (folder.parent / "stub.yaml").write_text(YAML)
        warm = folder.with_name("warm")
        warm.mkdir()
        start(warm)  # data are encoded, and what a process keeps in memory is there
        shutil.rmtree(warm)

    def act(self, folder: Path, told: Told) -> None:
        start(folder, told)

    def readable(self, folder: Path, told: list[str]) -> None:
        run = folder / "run"
        cells = records(run, "cells")
        epochs = {(row["config"], row["epoch"]) for row in records(run, "epochs")}
        for said in map(json.loads, told):
            assert (said["config"], said["epoch"]) in epochs, f"{said} was told, and is not there"
        for config, epoch in epochs:
            of = [
                row
                for row in cells
                if (row["config"], row["epoch"], row["selection"]) == (config, epoch, "epoch")
            ]
            assert len(of) == 2, "an epoch is there with all of its rows"

    def content(self, folder: Path) -> Any:
        return content(folder)


class OfFinished(Scenario):
    """An act on a run that has ended."""

    def prepare(self, folder: Path) -> None:
        finished(folder)

    def readable(self, folder: Path, told: list[str]) -> None:
        assert len(table_rows(folder / "run")["units"]) == 2


class PutAside(OfFinished):
    """A unit of another stamp moves into a run of its own, out of a part and with log and checkpoints."""

    def act(self, folder: Path, told: Told) -> None:
        run = folder / "run"
        with only_driver(run):
            complete_moves(run)
            units = sorted(stored_units(run))
            if len(units) == 2:
                put_aside(run, [Aside(OTHER, (units[0],), 1, "of other code", True)])

    def readable(self, folder: Path, told: list[str]) -> None:
        run = folder / "run"
        for name in PRESENT:
            both = {*rows(run, name), *rows(run / EARLIER / OTHER, name)}
            assert both == self.before[name], f"rows of {name}"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.before = {name: {*rows(folder / "run", name)} for name in PRESENT}

    def content(self, folder: Path) -> Any:
        run, other = folder / "run", folder / "run" / EARLIER / OTHER
        logs = [sorted(log.name for log in (at / "logs").iterdir()) for at in (run, other)]
        weights = [sorted(each.name for each in (at / "checkpoints").iterdir()) for at in (run, other)]
        plans = [sorted(plan.configs) for at in (run, other) if (plan := Plan.load(at))]
        return {
            "run": table_rows(run),
            "other": table_rows(other),
            "logs": logs,
            "weights": weights,
            "plans": plans,
        }


class TakenBack(PutAside):
    """The unit comes back."""

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        PutAside.act(self, folder, lambda said: None)

    def act(self, folder: Path, told: Told) -> None:
        run = folder / "run"
        with only_driver(run):
            complete_moves(run)
            units = sorted(stored_units(run / EARLIER / OTHER)) if (run / EARLIER / OTHER).is_dir() else []
            if units:
                move_back(run, {OTHER: [unit.name for unit in units]})

    def content(self, folder: Path) -> Any:
        run = folder / "run"
        assert not (run / EARLIER / OTHER).exists()
        return {"run": table_rows(run), "logs": sorted(log.name for log in (run / "logs").iterdir())}


class Mended(OfFinished):
    """A part that cannot be read, and a log with a wrong byte, are put aside and made again."""

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        run = folder / "run"
        self.expected = table_rows(run)
        (part,) = (run / "cells").glob("part-*.parquet")
        part.write_bytes(part.read_bytes()[:-9])
        log = log_file(run, min(stored_units(run)).name)
        log.write_bytes(log.read_bytes()[:-9])
        for name in ("cells", "units"):
            assert (run / name).is_dir()

    def act(self, folder: Path, told: Told) -> None:
        with only_driver(folder / "run"):
            mend(folder / "run")

    def readable(self, folder: Path, told: list[str]) -> None:
        assert rows(folder / "run", "epochs") == self.expected["epochs"]

    def content(self, folder: Path) -> Any:
        return {name: rows(folder / "run", name) for name in PRESENT}


class Compacted(OfFinished):
    """Files of single units become a part beside another part."""

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        run = folder / "run"
        for name in TABLES:
            for part in (run / name).glob("part-*.parquet"):
                part.unlink()
        self.expected = table_rows(run)

    def act(self, folder: Path, told: Told) -> None:
        run = folder / "run"
        compactor = Compactor(run, at_once=1)
        compactor.collect_left([unit.name for unit in sorted(stored_units(run))])
        compactor.finish()

    def readable(self, folder: Path, told: list[str]) -> None:
        assert table_rows(folder / "run") == self.expected

    def content(self, folder: Path) -> Any:
        run = folder / "run"
        files = [
            str(path.relative_to(run))
            for path in sorted(run.glob("*/[!.p]*.parquet"))
            if path.parent.name not in OF_FOLDS
        ]
        return {"rows": table_rows(run), "single files": files}


class Verdicts(OfFinished):
    """A configuration is pruned where it had not begun, and another unit fails without a worker to say so."""

    def act(self, folder: Path, told: Told) -> None:
        run = folder / "run"
        plan = Plan.load(run)
        assert plan is not None
        first, second = plan.units()
        unrun = Unrun(run, plan.objective, "cpu", None)
        Verdict("worse than others", plan.objective, "{}", ("x",)).write(run, first.config_id)
        unrun.prune(plan, [Unit(first.config_id, first.fold, 7)], "worse than others")
        unrun.give_up(plan, [Unit(second.config_id, second.fold, 7)], "its worker died too often")
        Verdict.drop(run, first.config_id)

    def readable(self, folder: Path, told: list[str]) -> None:
        assert len(table_rows(folder / "run")["units"]) in (2, 3, 4)
        Verdict.read(folder / "run", min(stored_units(folder / "run")).config_id)

    def content(self, folder: Path) -> Any:
        return table_rows(folder / "run")


class Noted(OfFinished):
    """Tags and a note."""

    def act(self, folder: Path, told: Told) -> None:
        change_notes(folder / "run", lambda notes: Notes(("paper",), notes.note))
        told("paper")
        change_notes(folder / "run", lambda notes: Notes(notes.tags, "first look"))

    def readable(self, folder: Path, told: list[str]) -> None:
        notes = Notes.of(folder / "run")
        assert notes.tags == ("paper",) or not told

    def content(self, folder: Path) -> Any:
        return Notes.of(folder / "run")


class Pruned(OfFinished):
    """Checkpoints of ended units are removed."""

    def act(self, folder: Path, told: Told) -> None:
        prune(folder / "run", dry_run=False)

    def content(self, folder: Path) -> Any:
        return {
            **content(folder),
            "left": sorted(path.name for path in (folder / "run" / "checkpoints").iterdir()),
        }


class Combined(OfFinished):
    """Two runs are put together into a third, whole or not at all."""

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        shutil.copytree(folder / "run", folder / "second")

    def act(self, folder: Path, told: Told) -> None:
        if not (folder / "both").exists():
            combine([folder / "run", folder / "second"], folder / "both", reuse_older_code=False)

    def readable(self, folder: Path, told: list[str]) -> None:
        super().readable(folder, told)
        if (folder / "both").exists():
            assert table_rows(folder / "both") == table_rows(folder / "run")
            assert Run(folder / "both").plan()["design"] == "combined"

    def content(self, folder: Path) -> Any:
        return {**table_rows(folder / "both"), "there": sorted(path.name for path in folder.iterdir())}


class Exported(OfFinished):
    """A tracker gets a run, of which it had a unit that has another row since."""

    def __init__(self, tracker: str) -> None:
        self.tracker = tracker

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        shutil.rmtree(folder / "run" / "export", ignore_errors=True)
        shutil.copytree(folder / "run", folder / "later")
        first = min(stored_units(folder / "run")).name
        exporter = Exporter(folder / "run", self.tracker, folder / "out")
        exporter.add([first])
        exporter.close()

    def act(self, folder: Path, told: Told) -> None:
        exporter = Exporter(folder / "run", self.tracker, folder / "out")
        exporter.whole()
        exporter.close()

    def content(self, folder: Path) -> Any:
        out = folder / "out"
        files = sorted(path for path in out.rglob("*") if path.is_file() and not path.name.startswith("."))
        whole = {str(path.relative_to(out)): sorted(path.read_bytes().splitlines()) for path in files}
        exporter = Exporter(folder / "run", self.tracker, out)
        exporter.whole()
        exporter.close()
        assert exporter.exported.units == exporter.exported.configurations == 0, "nothing is left to export"
        return whole


SCENARIOS: dict[str, Any] = {
    "sweep": Sweep,
    "aside": PutAside,
    "back": TakenBack,
    "mending": Mended,
    "compaction": Compacted,
    "verdicts": Verdicts,
    "notes": Noted,
    "prune": Pruned,
    "combine": Combined,
    "export csv": partial(Exported, "csv"),
    "export tensorboard": partial(Exported, "tensorboard"),
}
"""Name -> what makes the scenario."""


def named(names: Sequence[str]) -> dict[str, Scenario]:
    """The scenarios of these names, all of them for none."""
    return {name: SCENARIOS[name]() for name in names or SCENARIOS}
