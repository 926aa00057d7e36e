"""kill -9 of a worker and of the driver, and Ctrl-C, on real sweeps in a real Ray; and signing in to its dashboard."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import psutil
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from ruamel.yaml import YAML

from analysis.store import Run
from harness.baselines.write import write_baselines
from harness.config.blocks.data import DataBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.design.plan import Plan
from harness.store.writer import RunWriter
from harness.trial.unit_run import UnitRun
from tests.harness.command import command
from tests.harness.dashboard import answered
from tests.harness.small_sweeps import SETTINGS

pytestmark = pytest.mark.timeout(900)
PATIENCE = 300
"""Seconds for what takes ten on a machine that does nothing else: a hang is to be found, not a slow machine."""
EPOCHS = 5
DATA = "{form: gated, cell_lines: 5, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}"
COMMON = f"""
name: survival
base: minimal
data: {{synthetic: {DATA}}}
trial: {{epochs: {EPOCHS}, seeds: 2}}
objective: val_unseen/pooled/aupr
{SETTINGS}"""
GRID = (
    COMMON
    + """
design: grid
space:
  energy.form: {grid: [linear, gated]}
scheduler: {kind: none}
"""
)
SEARCH = (
    COMMON
    + """
trials: 4
space:
  energy.form: {choice: [linear, gated]}
  optimiser.lr: {loguniform: [0.0001, 0.003]}
sampler: {kind: tpe, startup: 2, seed: 3}
scheduler: {kind: asha, grace: 2, reduction: 2}
"""
)


class Started:
    """A sweep in a process of its own, with what it prints."""

    def __init__(self, folder: Path, cache: Path, yaml: str, *options: str, **environment: str) -> None:
        (folder / "survival.yaml").write_text(yaml)
        self.run = folder / "run"
        self.printed = folder / f"printed-{time.monotonic_ns()}.txt"
        command = [sys.executable, "-m", "harness.sweep", str(folder / "survival.yaml")]
        with self.printed.open("w") as stream:
            self.process = subprocess.Popen(
                [*command, "--out", str(self.run), "--cache", str(cache), *options],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
                cwd=Path(__file__).parents[2],
            )

    def wait(self, seconds: float = PATIENCE) -> int:
        return self.process.wait(seconds)

    def text(self) -> str:
        return self.printed.read_text()

    def until(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """What `condition` returns as soon as it is true; fails when the sweep ends or time runs out before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            if self.process.poll() is not None:
                raise AssertionError(f"the sweep ended before {what}:\n{self.text()}")
            time.sleep(0.1)
        raise AssertionError(f"no {what} within {seconds} s:\n{self.text()}")

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def worker(self) -> psutil.Process | None:
        """A worker that is training at this moment."""
        for process in self.family():
            try:
                if process.name().startswith("ray::") and ".train" in " ".join(process.cmdline()):
                    return process
            except psutil.NoSuchProcess:
                continue
        return None

    def epochs(self) -> pd.DataFrame:
        return Run.open(self.run).table("epochs").sort_values(["config", "seed", "epoch"], ignore_index=True)

    def an_epoch_is_done(self) -> bool:
        return any((self.run / "units").glob("*")) and len(self.epochs()) > 0


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encoded data and their baselines, which a driver that is killed early would compute again at every start."""
    folder = tmp_path_factory.mktemp("cache")
    data = DataBlock.model_validate({"synthetic": YAML(typ="safe").load(DATA)})
    dataset = open_dataset(data, enhancer_bp=80, promoter_bp=80, cache=folder, progress=False)
    write_baselines(dataset, make_folds(dataset, data), tmp_path_factory.mktemp("baselines"), folder)
    return folder


@pytest.fixture
def sweep(tmp_path: Path, cache: Path) -> Iterator[Callable[..., Started]]:
    begun: list[Started] = []

    def start(yaml: str, *options: str, **environment: str) -> Started:
        begun.append(Started(tmp_path, cache, yaml, *options, **environment))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.terminate()
            try:
                one.process.wait(60)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()


def _is_agent(process: psutil.Process) -> bool:
    """Ray's own agents and monitors end too, but only after they have tried for up to a minute to tell the dead
    cluster so."""
    try:
        return process.name() in ("ray::DashboardAgent", "ray::RuntimeEnvAgent") or any(
            word.endswith("monitor.py") for word in process.cmdline()
        )
    except psutil.NoSuchProcess:
        return False


def _assert_complete(one: Started) -> None:
    plan = Plan.load(one.run)
    assert plan is not None
    assert plan.status == "finished"
    trials = Run.open(one.run).table("units")
    assert sorted(trials["status"]) == ["done"] * 4
    epochs = one.epochs()
    for _, unit in epochs.groupby(["config", "seed"]):
        assert unit["epoch"].tolist() == list(range(1, EPOCHS + 1))
    assert not Run.open(one.run).table("baselines").empty


def _assert_that_signing_in_works_as_printed(one: Started, token_file: Path) -> None:
    found = re.search(r"Ray dashboard  (http://\S+)  \(token: (.+)\)", one.text())
    assert found is not None, one.text()
    assert found[2] == f"cat '{token_file}'"
    assert str(Path.home()) not in found[2]
    token = subprocess.run(found[2], shell=True, capture_output=True, text=True, check=True).stdout.strip()
    nodes = f"{found[1]}/nodes?view=summary"
    assert answered(nodes, None) == 401
    assert answered(nodes, token[::-1]) in (401, 403)
    assert answered(nodes, token) == 200


def test_killed_worker_is_replaced_and_changes_no_result(
    sweep: Callable[..., Started], cache: Path, tmp_path: Path
) -> None:
    token_file = tmp_path / "a token"
    token_file.write_text(uuid.uuid4().hex)
    one = sweep(GRID, RAY_AUTH_TOKEN_PATH=str(token_file), RAY_AUTH_TOKEN="")
    one.until(one.an_epoch_is_done, "a finished epoch")
    victim = one.until(one.worker, "a training worker")
    victim.kill()
    _assert_that_signing_in_works_as_printed(one, token_file)
    assert one.wait() == 0, one.text()
    assert "died; it was started again" in one.text()
    assert "Traceback" not in one.text()
    assert "(raylet)" not in one.text()
    _assert_complete(one)

    plan = Plan.load(one.run)
    assert plan is not None
    view = next(cache.glob("*/windows-80-80"))
    dataset = EncodedDataset.open(view)
    fold = make_folds(dataset, DataBlock.model_validate({"root": tmp_path}))[0]
    disturbed = one.epochs()
    for config, planned in plan.configs.items():
        alone = UnitRun(
            planned.config,
            dataset,
            fold,
            0,
            RunWriter(tmp_path / "alone"),
            objective="val_unseen/pooled/aupr",
        )
        while not alone.finished:
            alone.advance()
        rows = disturbed[(disturbed["config"] == config) & (disturbed["seed"] == 0)]
        assert rows["loss"].tolist() == [row["loss"] for row in alone.rows("epochs")]

    again = command("harness.sweep", tmp_path / "survival.yaml", "--out", one.run, "--cache", cache)
    assert again.returncode == 0
    assert "nothing to run" in again.stdout
    assert "trial.seeds" in again.stdout


def _assert_ended(one: Started, family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs([each for each in family if not _is_agent(each)], timeout=PATIENCE)
    assert not alive, f"still running after the sweep ended: {alive}"


def test_kill_and_ctrl_c_lose_no_epoch_and_leave_no_process(
    sweep: Callable[..., Started], cache: Path, tmp_path: Path
) -> None:
    """A search by TPE with ASHA: killed, resumed, interrupted and resumed again."""
    first = sweep(SEARCH)
    first.until(first.an_epoch_is_done, "a finished epoch")
    family = first.family()
    plan = Plan.load(first.run)
    assert plan is not None
    assert plan.status == "running"
    assert 0 < len(plan.configs) <= 4
    first.process.kill()
    first.wait()
    _assert_ended(first, family)
    before = first.epochs()
    assert 0 < len(before) < 8 * EPOCHS

    unasked = command("harness.sweep", tmp_path / "survival.yaml", "--out", first.run, "--cache", cache)
    assert unasked.returncode == 2
    assert "--resume" in unasked.stderr

    second = sweep(SEARCH, "--resume")
    second.until(lambda: len(second.epochs()) > len(before), "a further epoch")
    family = second.family()
    second.process.send_signal(signal.SIGINT)
    assert second.wait() == 3, second.text()
    assert "finished epochs are kept" in second.text()
    assert "Traceback" not in second.text()
    assert second.text().rstrip().endswith("--resume")
    _assert_ended(second, family)
    interrupted = Plan.load(second.run)
    assert interrupted is not None
    assert interrupted.status == "interrupted"
    between = second.epochs()
    assert len(before) < len(between) < 8 * EPOCHS

    third = sweep(SEARCH, "--resume")
    assert third.wait() == 0, third.text()
    _assert_searched(third, [*plan.configs], [*interrupted.configs])
    after = third.epochs().set_index(["config", "seed", "epoch"])
    for earlier in (before, between):
        kept = after.loc[list(earlier[["config", "seed", "epoch"]].itertuples(index=False, name=None))]
        assert kept["wall_s"].tolist() == earlier["wall_s"].tolist()


def _assert_searched(one: Started, *earlier: list[str]) -> None:
    """Four configurations, each once in plan, store and study, those of earlier starts first."""
    plan = Plan.load(one.run)
    assert plan is not None
    assert plan.status == "finished"
    assert len(plan.configs) == 4
    assert all(list(plan.configs)[: len(configs)] == configs for configs in earlier)
    run = Run.open(one.run)
    trials, epochs = run.table("units"), one.epochs()
    assert len(trials) == 8
    assert set(trials["config"]) == set(plan.configs)
    assert set(trials["status"]) <= {"done", "pruned", "stopped"}
    ends = {config: set(own) - {"stopped"} for config, own in trials.groupby("config")["status"]}
    assert all(len(own) <= 1 for own in ends.values()), "seeds are pruned in lockstep"
    for (config, seed), unit in epochs.groupby(["config", "seed"]):
        (trial,) = trials[(trials["config"] == config) & (trials["seed"] == seed)].to_dict("records")
        assert unit["epoch"].tolist() == list(range(1, trial["epochs"] + 1))
        assert trial["epochs"] == EPOCHS or trial["status"] != "done"
    for name in ("units", "epochs", "cells"):
        assert all(file.name.startswith("part-") for file in (one.run / name).glob("*.parquet")), name
    (journal,) = (one.run / "studies").glob("*.log")
    storage = JournalStorage(JournalFileBackend(str(journal)))
    (study,) = optuna.get_all_study_names(storage)
    told = optuna.load_study(study_name=study, storage=storage).get_trials()
    states = {each.user_attrs["config"]: each.state.name for each in told if "config" in each.user_attrs}
    assert states == {config: "PRUNED" if "pruned" in own else "COMPLETE" for config, own in ends.items()}
