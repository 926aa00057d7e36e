"""Sweeps on a cluster of two nodes of which one has a disk of its own: sent as a job, and by --address while it dies."""

import contextlib
import io
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group, remove_placement_group
from rich.console import Console

from analysis.errors import UserError
from analysis.store import Run
from harness.config.blocks.data import DataBlock
from harness.config.blocks.sweep import ResourcesBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds
from harness.design.plan import Plan
from harness.store.writer import RunWriter
from harness.sweep.cluster.cluster import cluster
from harness.sweep.cost import workers_of
from harness.sweep.driver import run_sweep
from harness.sweep.options import parse
from harness.sweep.tuning import reserved
from harness.trial.device import Device
from harness.trial.unit_run import UnitRun
from tests.harness.nodes import apart
from tests.harness.small_sweeps import SETTINGS

pytestmark = pytest.mark.timeout(900)
ROOT = Path(__file__).parents[2]
EPOCHS = 20
OBJECTIVE = "val_unseen/pooled/aupr"
YAML = f"""
name: nodes
base: minimal
data: {{synthetic: {{cell_lines: 5, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}}}}
trial: {{epochs: EPOCHS, seeds: 1}}
objective: {OBJECTIVE}
{SETTINGS}
design: grid
space:
  optimiser.lr: {{grid: [LRS]}}
scheduler: {{kind: none}}
resources: {{gpus_per_trial: 0}}
"""


@dataclass
class Nodes:
    """A cluster whose `far` node finds nothing in `disk`, which is the head's, and shares the rest of `folder`."""

    cluster: Cluster
    far: Any
    folder: Path
    disk: Path

    def command(self, run: str, address: str, *, epochs: int = 1, lrs: str = "0.001, 0.002") -> list[str]:
        yaml = self.folder / f"{run}.yaml"
        yaml.write_text(YAML.replace("EPOCHS", str(epochs)).replace("LRS", lrs))
        folders = ["--out", str(self.folder / run), "--cache", str(self.disk)]
        return ["-m", "harness.sweep", str(yaml), *folders, "--address", address]

    def training(self) -> set[str]:
        """Configurations that the far node trains at this moment, by what its processes are called."""
        titles = []
        for process in psutil.Process(self.far.all_processes["raylet"][0].process.pid).children():
            with contextlib.suppress(psutil.Error):
                titles.append(" ".join(process.cmdline()))
        said = [re.fullmatch(r"ray::fold0: lr=.* \((\w{12})\)\.train\(\)\s*", title) for title in titles]
        return {found[1] for found in said if found is not None}

    def asked(self, path: str) -> Any:
        """What the dashboard answers."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{self.cluster.webui_url}{path}", timeout=20) as answer:
            return json.load(answer)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("", 0))
        number: int = bound.getsockname()[1]
        return number


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    folder = Path(tempfile.mkdtemp(prefix="n", dir="/tmp"))
    disk = folder / "disk"
    disk.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_TMPDIR", str(folder))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("RAY_AUTH_MODE", raising=False)
        patch.delenv("RAY_ADDRESS", raising=False)
        # Jobs go through the head's agent, whose usual port another Ray on this machine may hold.
        ports = {"dashboard_port": 0, "dashboard_agent_listen_port": free_port()}
        head = {"num_cpus": 1, "include_dashboard": True, **ports}
        made = Cluster(initialize_head=True, head_node_args=head, shutdown_at_exit=False)
        try:
            # Where Ray unpacks the code of a job: what one node removes, another is not to miss.
            of_head: Any = made.head_node
            packages = Path(of_head.get_runtime_env_dir_path())
            far = apart(lambda: made.add_node(num_cpus=2, num_gpus=1), [disk, packages])
            yield Nodes(made, far, folder, disk)
        finally:
            made.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def test_a_job_sends_data_to_each_node_once(nodes: Nodes) -> None:
    """Three workers run at once: two of the far node need them, and the head's own has them."""
    binaries = Path(sys.executable).parent
    submit = [str(binaries / "ray"), "job", "submit", "--address", f"http://{nodes.cluster.webui_url}"]
    command = nodes.command("job", "auto", lrs="0.001, 0.002, 0.003")
    for _ in range(30):
        done = subprocess.run(
            [*submit, "--working-dir", str(ROOT), "--", sys.executable, *command],
            capture_output=True,
            text=True,
        )
        if "No available agent to submit job" not in done.stderr:
            break
        time.sleep(2.0)  # Ray starts the agent of a node beside the node
    assert done.returncode == 0, done.stdout + done.stderr
    assert Run.open(nodes.folder / "job").table("units")["status"].tolist() == ["done"] * 3
    (record,) = (nodes.folder / "job" / "shipped").glob("*.json")
    shipped = json.loads(record.read_text())
    assert shipped["node"] == nodes.far.node_id
    (view,) = nodes.disk.glob("*/windows-80-80")
    assert shipped["bytes"] == sum(file.stat().st_size for file in view.parent.rglob("*") if file.is_file())
    assert f"node {nodes.far.node_id[:12]} ({shipped['host']}) was sent the encoded data" in done.stdout


def test_a_share_of_a_gpu_packs_trials_onto_its_node(nodes: Nodes) -> None:
    """The GPU is one by name alone; four quarters fit it, though there are processors for six halves."""
    asked, share = ResourcesBlock(cpus_per_trial=0.5), Device(1.0, 0.25)
    with cluster(address=nodes.cluster.address) as joined:
        there = joined.capacity
        expected = workers_of(
            cpus=there.cpus, gpus=there.gpus, cpus_per_trial=0.5, share=share.share, concurrent=None, where=""
        )
        bundle = {key.upper(): amount for key, amount in reserved(asked, share).items()}
        groups = [placement_group([bundle]) for _ in range(expected.count + 1)]
        ready, waiting = ray.wait([group.ready() for group in groups], num_returns=expected.count, timeout=60)
        more, _ = ray.wait(waiting, timeout=0.5)
        for group in groups:
            remove_placement_group(group)
    assert (expected.count, len(ready), len(more)) == (4, 4, 0)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("cpus_per_trial=5", "cpus_per_trial is 5, and no node of the cluster at .* has more than 2 CPUs"),
        (
            "gpus_per_trial=2",
            r"gpus_per_trial is 2, and (no node .* has more than 1 GPU|this cluster has 1 GPU, and)",
        ),
        ("gpus_per_trial=0.25", r"1 GPU, and torch .* is built for the CPU alone"),
    ],
)
def test_what_no_node_can_hold_is_refused_in_time(nodes: Nodes, setting: str, why: str) -> None:
    from torch import version

    if "CPU alone" in why and (version.cuda is not None or version.hip is not None):
        pytest.skip("this torch is built for GPUs")
    began = time.monotonic()
    command = nodes.command("refused", nodes.cluster.address)[2:]
    with pytest.raises(UserError, match=why):
        run_sweep(parse([*command, "--set", f"resources.{setting}"]), Console(file=io.StringIO()))
    assert time.monotonic() - began < 30
    assert not (nodes.folder / "refused").exists()


def test_a_dead_node_costs_its_units_the_running_epoch(nodes: Nodes) -> None:
    run = nodes.folder / "died"
    with (nodes.folder / "said.txt").open("w") as stream:
        command = [sys.executable, *nodes.command("died", nodes.cluster.address, epochs=EPOCHS)]
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT)
    said = nodes.folder / "said.txt"
    before = None
    while process.poll() is None and before is None:
        time.sleep(0.05)
        training = nodes.training()
        if training:
            epochs = Run(run).table("epochs")
            reached = epochs[epochs["config"].isin(training)].groupby("config")["epoch"].max()
            before = epochs if any(2 <= epoch < EPOCHS - 5 for epoch in reached) else None
    assert before is not None, said.read_text()
    actors = nodes.asked(
        "/api/v0/actors?detail=1&filter_keys=state&filter_predicates=%3D&filter_values=ALIVE"
    )
    nodes.cluster.remove_node(nodes.far, allow_graceful=False)
    assert process.wait(300) == 0, said.read_text()

    assert "died; it was started again and goes on after epoch" in " ".join(said.read_text().split())
    names = {actor["class_name"] for actor in actors["data"]["result"]["result"]}
    assert names == {"TrialWorker"}
    opened = Run.open(run)
    assert set(opened.table("units")["status"]) == {"done"}
    keys = ["config", "epoch"]
    after = opened.table("epochs").set_index(keys)
    assert after.index.is_unique
    assert len(after) == 2 * EPOCHS
    finished = before[before["epoch"] < before.groupby("config")["epoch"].transform("max")]
    kept = after.loc[list(finished[keys].itertuples(index=False, name=None))]
    assert kept["wall_s"].tolist() == finished["wall_s"].tolist(), "none but the last ran a second time"
    assert not (run / "shipped").exists(), "the node had the data of the job"
    _assert_undisturbed(run, nodes)


def _assert_undisturbed(run: Path, nodes: Nodes) -> None:
    """Every epoch is to the bit what the unit reaches alone in this process."""
    (view,) = nodes.disk.glob("*/windows-80-80")
    dataset = EncodedDataset.open(view)
    fold = make_folds(dataset, DataBlock(root=nodes.folder))[0]
    plan = Plan.load(run)
    assert plan is not None
    disturbed = Run.open(run).table("epochs")
    for config, planned in plan.configs.items():
        alone = UnitRun(
            planned.config, dataset, fold, 0, RunWriter(nodes.folder / "alone"), objective=OBJECTIVE
        )
        while not alone.finished:
            alone.advance()
        rows = disturbed[disturbed["config"] == config].sort_values("epoch")
        for column in ("loss", "train_aupr", "grad_norm", "u_mean"):
            assert rows[column].tolist() == [row[column] for row in alone.rows("epochs")], column
