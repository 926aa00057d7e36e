"""A cluster that cannot be joined, and trials that no node can hold, are refused at once and with the reason."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from rich.console import Console

from analysis.errors import UserError
from harness.sweep.cluster import joining
from harness.sweep.cluster.capacity import Capacity
from harness.sweep.cluster.joining import patience, reach
from harness.sweep.driver import run_sweep
from harness.sweep.options import parse
from tests.harness.small_sweeps import NEVER

HEAD = "f" * 51 + "00000"
CLUSTER = """
    import sys
    from ray.cluster_utils import Cluster
    head = {"num_cpus": 1, "autoscaling_config": sys.argv[1], "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=2, env_vars={"RAY_OVERRIDE_NODE_ID_FOR_TESTING": "e" * 56})
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()
"""
KINDS = {
    "head": {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
    "large": {"resources": {"CPU": 4, "GPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2},
    "never": {"resources": {"CPU": 64}, "node_config": {}, "min_workers": 0, "max_workers": 0},
}
EMPTY_MAPS = ("auth", "docker", "file_mounts")
EMPTY_LISTS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "cluster_synced_files",
    "rsync_exclude",
    "rsync_filter",
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of two nodes (1 and 2 CPUs) whose autoscaler may add others."""
    folder = Path(tempfile.mkdtemp(prefix="j", dir="/tmp"))
    config = {
        "cluster_name": "fake_multinode",
        "max_workers": 8,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 1,
        "provider": {"type": "fake_multinode"},
        "head_node_type": "head",
        "available_node_types": KINDS,
        "file_mounts_sync_continuously": False,
        **{key: {} for key in EMPTY_MAPS},
        **{key: [] for key in EMPTY_LISTS},
    }
    (folder / "autoscaler.yaml").write_text(json.dumps(config))
    environment = {
        **os.environ,
        "RAY_TMPDIR": str(folder),
        "RAY_FAKE_CLUSTER": "1",
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    environment.pop("RAY_AUTH_MODE", None)
    command = [sys.executable, "-c", textwrap.dedent(CLUSTER), str(folder / "autoscaler.yaml")]
    with (
        (folder / "said.txt").open("w") as stderr,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        found = process.stdout.readline().strip()
        assert found, (folder / "said.txt").read_text()
        yield found
        process.stdin.close()
        process.wait(120)
    shutil.rmtree(folder, ignore_errors=True)


def _dry_run(tmp_path: Path, *options: str) -> str:
    """What a dry run on a run folder of its own says; nothing may be written there."""
    (tmp_path / "never.yaml").write_text(NEVER)
    run = tmp_path / "never"
    said = io.StringIO()
    standard = ["--out", str(run), "--cache", str(tmp_path / "cache"), "--dry-run"]
    try:
        run_sweep(parse([str(tmp_path / "never.yaml"), *standard, *options]), Console(file=said, width=300))
    finally:
        assert not run.exists()
    return said.getvalue()


@pytest.mark.timeout(300)
def test_trial_must_fit_a_node_of_a_cluster_or_its_autoscaler(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def said(cpus: str) -> str:
        _dry_run(tmp_path, "--address", address, "--set", f"resources.cpus_per_trial={cpus}")
        return capsys.readouterr().out

    assert "waits" not in said("2")
    assert "wait for it" not in said("2")
    began = time.monotonic()
    assert "its autoscaler declares one that has, and the trials wait for it" in said("3"), "1 + 2 are no 3"
    with pytest.raises(
        UserError, match=r"cpus_per_trial is 5, and no node of the cluster at .* has more than 4 CPUs"
    ):
        said("5")
    assert time.monotonic() - began < 30
    assert not (tmp_path / "never").exists()


def test_one_node_has_to_hold_a_trial() -> None:
    two = Capacity(({"CPU": 8.0, "GPU": 0.0}, {"CPU": 2.0, "GPU": 1.0}))
    assert two.refuse_too_large(cpus=8, gpus=0, where="the cluster") is None
    assert two.refuse_too_large(cpus=2, gpus=0.25, where="the cluster") is None
    for cpus, gpus, why in (
        (9, 0, "cpus_per_trial is 9, and no node of the cluster has more than 8 CPUs; lower it"),
        (1, 2, "gpus_per_trial is 2, and no node of the cluster has more than 1 GPU; lower it"),
        (4, 1, r"no single node of the cluster has both \(2 CPUs and 1 GPU; 8 CPUs\)"),
        (1, 1.5, "gpus_per_trial is 1.5: a share of one GPU, or a whole number"),
    ):
        with pytest.raises(UserError, match=why):
            two.refuse_too_large(cpus=cpus, gpus=gpus, where="the cluster")
    unseen = Capacity(two.nodes, unseen=True)
    assert "cannot be seen from here" in str(unseen.refuse_too_large(cpus=9, gpus=0, where="the cluster"))
    grows = Capacity(({"CPU": 1.0, "GPU": 0.0},), ({"CPU": 8.0, "GPU": 4.0},))
    assert (grows.gpus_for(None), grows.gpus_for(0.0), grows.gpus_for(2.0)) == (0, 0, 4)
    assert "declares one" in str(grows.refuse_too_large(cpus=8, gpus=4, where="the cluster"))
    with pytest.raises(UserError, match="no node of the cluster has more than 4 GPUs"):
        grows.refuse_too_large(cpus=8, gpus=5, where="the cluster")


def test_a_machine_too_small_is_told_before_ray_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cpus_per_trial is 1024, and this machine has \d+ CPUs?; lower it"):
        _dry_run(tmp_path, "--set", "resources.cpus_per_trial=1024")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("127.0.0.1:6", r"nothing listens at .*:6 \(connection refused\)\. Give HOST:PORT"),
        ("ray://127.0.0.1:6", r"nothing listens at .*:6 .*Ray client server \(10001"),
        ("nowhere.invalid:6379", "the name nowhere.invalid does not resolve"),
        ("localhost", "expected HOST:PORT of a Ray cluster, or auto"),
        ("localhost:port", "port is no port"),
        ("localhost:99999", "99999 is no port"),
        ("", "leave it out for a local Ray"),
        ("local", "leave it out for a local Ray"),
        ("http://head:8265", r"a dashboard's address.*ray job submit --address http://head:8265"),
        ("ray://", "expected ray://HOST:PORT"),
    ],
)
def test_an_address_without_a_cluster_is_refused_with_the_reason(
    given: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    began = time.monotonic()
    with pytest.raises(UserError, match=why) as caught:
        reach(given)
    assert str(caught.value).startswith(f"--address {given}")
    assert time.monotonic() - began < 30


def test_what_is_no_ray_head_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A port that answers otherwise, one that never answers, and what RAY_ADDRESS says where `auto` asks it."""
    monkeypatch.setattr(joining, "ANSWER", 1.0)
    with socket.create_server(("", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UserError, match="does not answer within 1 s"):
            reach(place)
    with socket.socket() as bound:  # without listening, so that nobody else can take the port
        bound.bind(("", 0))
        place = f"127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", place)
        with pytest.raises(
            UserError, match=rf"--address auto \(.*, as RAY_ADDRESS={place} has it\): .* nothing listens"
        ):
            reach("auto")
    with pytest.raises(UserError, match=r"--address : expected HOST:PORT"):
        _dry_run(tmp_path, "--address", "")


def test_a_head_that_refuses_the_token_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The answer of a head that asks for a token, given by a server of the same protocol."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if ("authorization", "Bearer right") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken: missing or incorrect")
        return b""

    server = grpc.server(ThreadPoolExecutor(1))
    method = {"CheckAlive": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("ray.rpc.NodeInfoGcsService", method),)
    )
    place = f"127.0.0.1:{server.add_insecure_port('0.0.0.0:0')}"
    server.start()
    for key in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "right")
    try:
        with pytest.raises(
            UserError, match="asks for its token, and none is given to it from here; set RAY_AUTH_MODE"
        ):
            reach(place)
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        reach(place)
        monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")
        with pytest.raises(UserError, match="the one that is set here is another"):
            reach(place)
    finally:
        server.stop(None)


def test_a_join_that_hangs_ends() -> None:
    with pytest.raises(UserError, match=r"could not be joined within 0\.1 s"), patience("head:6379", 0.1):
        time.sleep(20)
