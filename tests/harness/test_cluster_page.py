"""The cluster launcher's YAML of the documentation is what the installed Ray reads, and holds what it says."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
from ruamel.yaml import YAML

from harness.sweep.cluster.capacity import Capacity
from harness.trial.device import GPU_SHARE

PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"
SCHEMA = json.loads(
    (Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text(encoding="utf-8")
)


def block(kind: str) -> Any:
    """The one YAML of that kind."""
    (text,) = re.findall(rf"^```yaml {kind}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return YAML(typ="safe").load(text)


def test_launcher_yaml_is_valid_under_the_installed_schema() -> None:
    launcher = block("launcher")
    jsonschema.validate(launcher, SCHEMA)
    assert launcher["head_node_type"] in launcher["available_node_types"]
    assert any("--autoscaling-config" in command for command in launcher["head_start_ray_commands"])
    assert any("$RAY_HEAD_IP" in command for command in launcher["worker_start_ray_commands"])


@pytest.mark.parametrize("spoilt", ["key", "type", "resources"])
def test_the_schema_sees_a_mistake(spoilt: str) -> None:
    launcher = copy.deepcopy(block("launcher"))
    if spoilt == "key":
        launcher["head_nodes"] = {}
    elif spoilt == "type":
        launcher["setup_commands"] = "make setup"
    else:
        launcher["available_node_types"]["gpu"]["resources"]["GPU"] = 0.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(launcher, SCHEMA)


def test_its_machines_hold_the_trials_that_it_promises() -> None:
    kinds = block("launcher")["available_node_types"]
    head, gpu = kinds["head"]["resources"], kinds["gpu"]["resources"]
    grows = Capacity((head,), (gpu,))
    waits = grows.refuse_too_large(cpus=1, gpus=GPU_SHARE, where="the cluster")
    assert waits is not None
    assert "its autoscaler declares one that has, and the trials wait for it" in waits
    assert min(gpu["CPU"], gpu["GPU"] / GPU_SHARE) == 4, "four trials at once"
    assert grows.gpus_for(None) == 0, "so that the command has to ask for a share"
    assert "--gpus-per-trial 0.25" in PAGE.read_text(encoding="utf-8")


def test_kubernetes_yaml_is_said_to_be_unvalidated() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.index("**Unvalidated**") < page.index("```yaml kuberay")
    cluster = block("kuberay")
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    assert cluster["spec"]["rayVersion"] == ray.__version__
    for group in (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        assert {volume["name"] for volume in pod["volumes"]} == {
            mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]
        }
