"""What the nodes of a Ray cluster can hold, those that an autoscaler may still add included."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from analysis.errors import UserError

Resources = Mapping[str, float]


@dataclass(frozen=True)
class Capacity:
    """`nodes`: CPU and GPU of each node that is there; `declared`: of each node type that an autoscaler may add.

    `unseen`: an autoscaler runs whose node types cannot be read from here.
    """

    nodes: tuple[Resources, ...]
    declared: tuple[Resources, ...] = ()
    unseen: bool = False

    @property
    def cpus(self) -> float:
        return sum(node.get("CPU", 0.0) for node in self.nodes)

    @property
    def gpus(self) -> float:
        return sum(node.get("GPU", 0.0) for node in self.nodes)

    def gpus_for(self, share: float | None) -> float:
        """GPUs to reckon with: where a share was asked for and none is there, those that may be added."""
        if self.gpus or not share:
            return self.gpus
        return max((kind.get("GPU", 0.0) for kind in self.declared), default=share if self.unseen else 0.0)

    def holds(self, asked: Resources) -> bool:
        """Whether one of the nodes that are there has as much, were it idle."""
        return _held(asked, self.nodes)

    def refuse_too_large(self, *, cpus: float, gpus: float, where: str) -> str | None:
        """What a person should hear of a trial that waits for a node to be added; None when a node holds it now.

        A trial runs on one node: what several have together does not help it. `where` names the machine or cluster.

        Raises
        ------
        UserError
            when no node can hold it, and Ray would wait for ever.
        """
        if gpus > 1 and gpus != int(gpus):
            raise UserError(
                f"resources.gpus_per_trial is {gpus:g}: a share of one GPU, or a whole number of them; "
                f"set it to {int(gpus)} or {int(gpus) + 1}"
            )
        asked = {"CPU": cpus, "GPU": gpus}
        if self.holds(asked):
            return None
        need = f"a trial needs {words(asked)}, and no node of {where} has that now"
        if _held(asked, self.declared):
            return f"{need}; its autoscaler declares one that has, and the trials wait for it"
        if self.unseen:
            return f"{need}; an autoscaler runs whose node types cannot be seen from here, and the trials wait for it"
        raise UserError(self._refusal(asked, where))

    def _refusal(self, asked: Resources, where: str) -> str:
        kinds = [*self.nodes, *self.declared]
        for path, key in (("cpus_per_trial", "CPU"), ("gpus_per_trial", "GPU")):
            most = max((node.get(key, 0.0) for node in kinds), default=0.0)
            if asked[key] > most:
                has = f"{most:g} {key}{'s' if most != 1 else ''}"
                whose = f"{where} has {has}" if len(kinds) == 1 else f"no node of {where} has more than {has}"
                return f"resources.{path} is {asked[key]:g}, and {whose}; lower it"
        return (
            f"resources.cpus_per_trial is {asked['CPU']:g} and gpus_per_trial {asked['GPU']:g}, and no single node of "
            f"{where} has both ({'; '.join(sorted({words(node) for node in kinds}))}); lower one of them"
        )


def this_machine(*, gpus: float) -> Capacity:
    """Of this machine alone, at the most, before a Ray runs on it."""
    return Capacity(({"CPU": float(os.cpu_count() or 1), "GPU": gpus},))


def capacity() -> Capacity:
    """Of the Ray that this process is connected to."""
    import ray

    declared = _reported() or _configured(ray.get_runtime_context().gcs_address)
    return Capacity(alive(), tuple(declared), unseen=not declared and _autoscaled())


def alive() -> tuple[Resources, ...]:
    """Of each node that is there now."""
    import ray

    return tuple(_amounts(node["Resources"]) for node in ray.nodes() if node["Alive"])


def words(resources: Resources) -> str:
    """For example "2 CPUs and 0.25 GPU"."""
    said = []
    for key in ("CPU", "GPU"):
        amount = resources.get(key, 0.0)
        if amount or key == "CPU":
            said.append(f"{amount:g} {key}{'s' if amount > 1 or not amount else ''}")
    return " and ".join(said)


def _held(asked: Resources, kinds: Iterable[Resources]) -> bool:
    return any(all(kind.get(key, 0.0) >= amount for key, amount in asked.items()) for kind in kinds)


def _amounts(resources: Mapping[str, float]) -> dict[str, float]:
    return {key: float(resources.get(key, 0.0)) for key in ("CPU", "GPU")}


def _reported() -> list[dict[str, float]]:
    """Node types that a cluster's manager told Ray's head of."""
    from ray.core.generated.autoscaler_pb2 import ClusterConfig  # type: ignore[attr-defined]
    from ray.experimental.internal_kv import _internal_kv_get

    told = _internal_kv_get("__autoscaler_cluster_config", namespace="__autoscaler")
    groups = ClusterConfig.FromString(told).node_group_configs if told else ()
    # A number of -1 is Ray's "without limit".
    return [
        {key: float("inf") if amount < 0 else float(amount) for key, amount in group.resources.items()}
        for group in groups
        if group.max_count != 0
    ]


def _configured(head: str) -> list[dict[str, float]]:
    """Node types in the file that the autoscaler of `head` reads, where that runs on this machine.

    None when one type leaves its resources open, because it may be the one that fits.
    """
    from ruamel.yaml import YAML

    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        files = [word.partition("=")[2] for word in words if word.startswith("--autoscaling-config=")]
        if not files or f"--gcs-address={head}" not in words:
            continue
        try:
            config = YAML(typ="safe").load(Path(files[0]))
        except OSError:
            return []
        kinds = [
            kind for kind in config.get("available_node_types", {}).values() if kind.get("max_workers", 1)
        ]
        return (
            []
            if any(not kind.get("resources") for kind in kinds)
            else [_amounts(k["resources"]) for k in kinds]
        )
    return []


def _autoscaled() -> bool:
    """Whether an autoscaler with node types of its own manages the nodes.

    A cluster started by hand has one too, which mirrors each node as a type of its own (node_ID).
    """
    from ray.experimental.internal_kv import _internal_kv_get

    status = _internal_kv_get("__autoscaling_status")
    if status:
        report = json.loads(status).get("autoscaler_report") or {}
        return any(not kind.startswith("node_") for kind in _kinds(report))
    import ray
    from ray.autoscaler.v2.sdk import get_cluster_status

    known = get_cluster_status(ray.get_runtime_context().gcs_address, timeout=5)
    nodes = [*known.active_nodes, *known.idle_nodes]
    mine = any(not node.ray_node_type_name.startswith("node_") for node in nodes)
    return mine and known.stats.autoscaler_version not in (None, "0")


def _kinds(report: Mapping[str, Mapping[str, object] | None]) -> Iterable[str]:
    yield from report.get("active_nodes") or {}
    yield from map(str, (report.get("node_type_mapping") or {}).values())
