"""A sweep as its command line runs it, driver and worker in this process: without Ray, training and baselines."""

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray.tune
from ray.tune.search import Searcher
from rich.console import Console

from analysis.files import TableFiles
from analysis.schema import TABLES
from analysis.store import Run
from harness.sweep.driver import run_sweep
from harness.sweep.options import Options, parse
from harness.sweep.worker import TrialWorker
from tests.crashes.stub_unit import NOW, StubUnit

YAML = """
name: stub
base: minimal
question: Does anything get lost?
data: {synthetic: {cell_lines: 5, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}}
trial: {epochs: 2, seeds: 1}
objective: val_unseen/pooled/aupr
trials: 2
space:
  energy.form: {choice: [linear, gated]}
enqueue:
  - {energy.form: gated}
  - {energy.form: linear}
sampler: {kind: random}
scheduler: {kind: none}
track: [csv]
set:
  audit: "off"
  model.enhancer_bp: 80
  model.promoter_bp: 80
  support.size: 4
  episode.query: 8
"""
TIMES = frozenset({"wall_s", "started", "finished"})
Told = Callable[[str], None]


class StubTuner:
    """In place of `ray.tune.Tuner`: one worker, one trial after the other."""

    told: Told = staticmethod(lambda said: None)

    def __init__(self, trainable: Callable[[], TrialWorker], *, tune_config: Any, run_config: Any) -> None:
        self.trainable, self.search = trainable, tune_config.search_alg
        (self.callback,) = run_config.callbacks

    def fit(self) -> None:
        worker: TrialWorker | None = None
        while (assignment := self.search.suggest("one")) not in (None, Searcher.FINISHED):
            if worker is None:
                worker = self.trainable()
                worker.setup(assignment, **worker.parameters)  # type: ignore[attr-defined]
            else:
                worker.reset_config(assignment)
            trial = SimpleNamespace(trial_id="one", config=assignment, num_failures=0)
            self.callback.on_trial_start(0, [], trial)
            result: dict[str, Any] = {"done": False}
            while not result["done"]:
                result = worker.step()
                type(self).told(json.dumps({"config": result["configuration"], "epoch": result["epoch"]}))
                self.search.on_trial_result("one", result)
                self.callback.on_trial_result(0, [], trial, result)
            self.search.on_trial_complete("one", result)


def _with_parameters(trainable: type, **parameters: object) -> Callable[[], Any]:
    def make() -> Any:
        worker: Any = object.__new__(trainable)
        worker.parameters = parameters
        return worker

    return make


class StubBaselines:
    """In place of the Ray task of baselines: they are there."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def poll(self) -> str:
        return "baselines done"


@contextlib.contextmanager
def stubs(told: Told) -> Iterator[None]:
    """While Ray, units and baselines are replaced; `told` hears what the driver hears of every epoch."""
    capacity = SimpleNamespace(cpus=1.0, gpus=0.0, refuse_too_large=lambda **_: None)
    there = SimpleNamespace(capacity=capacity, address=None, sentence=lambda: "no Ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.sweep.driver.cluster", lambda **_: contextlib.nullcontext(there))
        patch.setattr("harness.sweep.driver.missing", lambda *_: [])
        patch.setattr("harness.sweep.task.conclude", lambda *_: 0)  # it reads alone
        patch.setattr("harness.sweep.baseline_task.missing", lambda *_: [])
        patch.setattr("harness.sweep.baseline_task.Baselines", StubBaselines)
        patch.setattr("harness.sweep.worker.UnitRun", StubUnit)
        patch.setattr("harness.sweep.worker.setproctitle", lambda title: None)
        patch.setattr("harness.sweep.run.provenance._ask", lambda *_: None)
        patch.setattr("harness.sweep.run.provenance.datetime", SimpleNamespace(now=lambda zone: NOW))
        patch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "here"))
        patch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 1.0, "memory": 2.0**33}}])
        patch.setattr(ray.tune, "Tuner", StubTuner)
        patch.setattr(ray.tune, "with_parameters", _with_parameters)
        patch.setattr(ray.tune, "with_resources", lambda trainable, _: trainable)
        patch.setattr(StubTuner, "told", staticmethod(told))
        yield


def options(folder: Path, *more: str) -> Options:
    """The command line of a start of the sweep in `folder`, whose run is `folder/run`; --resume where there is a plan."""
    resume = ["--resume"] if (folder / "run" / "plan.json").exists() else []
    yaml, cache = folder.parent / "stub.yaml", folder.parent / "cache"
    return parse([str(yaml), "--out", str(folder / "run"), "--cache", str(cache), *resume, *more])


def start(folder: Path, told: Told = lambda said: None, *more: str) -> None:
    """One start of the sweep, to its end."""
    with stubs(told):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            assert run_sweep(options(folder, *more), Console(file=said, width=200)) == 0, said.getvalue()


def records(run: Path, name: str) -> list[dict[str, Any]]:
    """Rows of a table without their times; fails where anything cannot be read. That rows were read from logs, since no
    file has them, is no failure."""
    problems: list[str] = []
    lost: list[str] = []
    table = TableFiles(run / name, problems, lost).read(TABLES[name])
    unread = [problem for problem in problems if not problem.endswith("the logs were read instead")]
    assert unread == lost == [], [*unread, *lost]
    kept: list[dict[str, Any]] = table.drop_columns(sorted(TIMES & {*table.column_names})).to_pylist()
    return kept


def rows(run: Path, name: str) -> list[str]:
    """The same as texts that have every bit, in an order of their own."""
    return sorted(map(repr, records(run, name)))


def content(folder: Path) -> dict[str, Any]:
    """All that a run says, times apart."""
    run = folder / "run"
    said: dict[str, Any] = {name: rows(run, name) for name in TABLES if (run / name).is_dir()}
    opened = Run(run)
    plan = opened.plan()
    said["plan"] = {**plan, "configs": sorted(map(repr, plan.get("configs", [])))}
    entries = opened.document("preregistration.json")["entries"]
    said["asked"] = [{k: v for k, v in entry["content"].items() if k != "units_before"} for entry in entries]
    said["export"] = {file.name: sorted(_untimed(file)) for file in sorted((run / "export").rglob("*.csv"))}
    assert opened.problems == [], opened.problems
    return said


def _untimed(file: Path) -> list[str]:
    with file.open(newline="") as stream:
        return [
            repr({k: v for k, v in row.items() if k not in (*TIMES, "elapsed")})
            for row in csv.DictReader(stream)
        ]
