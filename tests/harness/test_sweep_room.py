"""A cluster that has lost the nodes which can hold a trial is told of, once."""

from typing import Any

import pytest
import ray

from harness.sweep.cluster import room
from harness.sweep.cluster.room import Room


def test_a_cluster_that_can_hold_no_trial_any_more_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    large = {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}}
    small = {"Alive": True, "Resources": {"CPU": 1.0}}
    there: list[dict[str, Any]] = [large, small]
    said: list[str] = []
    monkeypatch.setattr(ray, "nodes", lambda: there)
    monkeypatch.setattr(room, "EVERY", 0.0)
    looked = Room(cpus=2, gpus=0.25, say=said.append)
    looked.look()
    assert said == []
    there[0] = {**large, "Alive": False}
    looked.look()
    looked.look()
    assert said == [
        "no node of the cluster can hold a trial any more: one needs 2 CPUs and 0.25 GPU, and what is left is 1 CPU. The "
        "sweep waits for a node; after Ctrl-C --resume goes on"
    ]
    there.append(large)
    looked.look()
    looked.look()
    assert said[1:] == ["a node that can hold a trial is there now"]


def test_ray_is_asked_no_more_often_than_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def nodes() -> list[dict[str, Any]]:
        asked.append(1)
        return []

    monkeypatch.setattr(ray, "nodes", nodes)
    looked = Room(cpus=1, gpus=0, say=lambda sentence: None)
    for _ in range(1000):
        looked.look()
    assert asked == [1]
