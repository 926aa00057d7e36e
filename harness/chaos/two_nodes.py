"""A Ray of two nodes on this machine, one CPU each, of which the second may be killed."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class TwoNodes:
    """The head's address, and the raylet of the second node."""

    address: str
    raylet: int

    def second(self) -> list[psutil.Process]:
        """Everything that runs on the second node."""
        try:
            raylet = psutil.Process(self.raylet)
            return [raylet, *raylet.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


@contextlib.contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """Start both nodes in a process of their own, and end them afterwards.

    Raises
    ------
    RuntimeError
        where they do not come up, with the words of that process.
    """
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environment = {**os.environ, "RAY_TMPDIR": name, "RAY_USAGE_STATS_ENABLED": "0"}
        environment.pop("RAY_AUTH_MODE", None)
        said = folder / "said.txt"
        with said.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.chaos.two_nodes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=environment,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = next((line for line in process.stdout if line.startswith("{")), None)
            if line is None:
                raise RuntimeError(f"two nodes of Ray did not come up: {said.read_text()[-500:]}")
            yield TwoNodes(**json.loads(line))
        finally:
            process.stdin.close()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def main() -> None:
    """Hold two nodes until standard input ends."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    node = cluster.add_node(num_cpus=1)
    (raylet,) = node.all_processes["raylet"]
    print(json.dumps({"address": cluster.address, "raylet": raylet.process.pid}), flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
