"""One question decides the device: what the size follows, what Ray hands out and what torch is told."""

import pytest
import torch

from analysis.errors import UserError
from harness.trial.device import GPU_SHARE, choose_device


def _machine(monkeypatch: pytest.MonkeyPatch, *, gpus: int, cuda: str | None, available: bool) -> None:
    monkeypatch.setattr("harness.trial.device._local_gpus", lambda: gpus)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus if available else 0)


def test_a_gpu_that_torch_can_use_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, gpus=2, cuda="13.0", available=True)
    device = choose_device()
    assert (device.gpus, device.share, device.name, device.sentence) == (2, GPU_SHARE, "cuda", None)
    assert choose_device(share=0.5).share == 0.5
    cpu = choose_device(share=0)
    assert not cpu.gpu
    assert cpu.name == "cpu", "the size follows what was asked for"


def test_torch_for_the_cpu_on_a_gpu_machine_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _machine(monkeypatch, gpus=1, cuda=None, available=False)
    device = choose_device()
    assert (device.gpus, device.gpu, device.name) == (0, False, "cpu")
    assert device.sentence is not None
    assert "this machine has 1 GPU, and torch" in device.sentence
    assert "built for the CPU alone" in device.sentence
    with pytest.raises(UserError, match=r"gpus_per_trial is 0\.25, and this machine has 1 GPU"):
        choose_device(share=0.25)
    _machine(monkeypatch, gpus=3, cuda="13.0", available=False)
    assert "can use none of them" in str(choose_device().sentence)


def test_a_machine_without_any_needs_no_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, gpus=0, cuda=None, available=False)
    assert choose_device().sentence is None
    assert not choose_device().gpu
    with pytest.raises(UserError, match="there is no GPU here; leave it out"):
        choose_device(share=1.0)


def test_gpus_of_a_cluster_count_for_a_torch_built_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's own machine need not have one."""
    _machine(monkeypatch, gpus=0, cuda="13.0", available=False)
    assert choose_device(cluster_gpus=4.0).gpus == 4
    assert choose_device(cluster_gpus=4.0).gpu
    assert not choose_device(cluster_gpus=0.0).gpu
    _machine(monkeypatch, gpus=0, cuda=None, available=False)
    device = choose_device(cluster_gpus=4.0)
    assert not device.gpu
    assert "this cluster has 4 GPUs" in str(device.sentence)
