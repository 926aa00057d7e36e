"""A strictly audited trial runs on a device beside the CPU as it does on the CPU: no tensor of it stays behind."""

import json
import subprocess
import sys

import pytest

from tests.another_device import NAME
from tests.harness.on_another_device import TRIALS

REFUSES = """
import torch
from tests.another_device import install, on_device
kept = install()
x = on_device(torch.randn(3, 4))
for wrong in (lambda: x + torch.ones(3, 4), lambda: x.numpy(), lambda: torch.arange(3) * x[:, 0]):
    try:
        print(wrong())
    except (RuntimeError, TypeError) as error:
        print("refused:", error)
layer = torch.nn.Linear(4, 2).to(x.device)
layer(x).square().sum().backward()
same = torch.nn.functional.linear(x.cpu(), layer.weight.cpu(), layer.bias.cpu()).square().sum()
print(layer.weight.grad.device, torch.equal(layer(x).square().sum().cpu(), same))
"""


def told(*arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=500, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


def test_the_device_refuses_what_a_gpu_refuses() -> None:
    lines = told("-c", REFUSES).splitlines()
    assert [line.partition(":")[0] for line in lines[:3]] == ["refused"] * 3
    assert lines[3] == f"{NAME}:0 True"


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    out = told("-m", "tests.harness.on_another_device", str(tmp_path_factory.mktemp("device")))
    return {row["preset"]: row for row in map(json.loads, out.splitlines())}


@pytest.mark.parametrize("preset", TRIALS)
def test_an_audited_trial_ends(trials: dict[str, dict[str, object]], preset: str) -> None:
    row = trials[preset]
    assert (row["accused"], row["ended"], row["device"]) == ([], "done", f"{NAME}:0")
    judged, recomputed = row["judged"], row["recomputed"]
    assert isinstance(judged, int)
    assert isinstance(recomputed, int)
    assert judged > 20
    assert recomputed > 100
