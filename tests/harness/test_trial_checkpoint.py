"""What a replicate leaves on disk: enough to continue while it runs, and no more than the weights afterwards."""

from pathlib import Path
from typing import Any

import torch

from tests.harness.conftest import MakeReplicate


def _load(tmp_path: Path, unit: str, name: str) -> dict[str, Any]:
    return torch.load(tmp_path / "run" / "checkpoints" / unit / f"{name}.pt", weights_only=True)


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_finished_replicate_keeps_its_last_and_its_selected_weights_and_no_optimiser(
    make_replicate: MakeReplicate, tmp_path: Path
) -> None:
    kept: dict[int, dict[str, torch.Tensor]] = {}
    for seed in range(5):
        replicate = make_replicate({"optimiser.lr": 0.05}, seed=seed)
        while not replicate.finished:
            replicate.advance()
            if not replicate.finished:
                running = _load(tmp_path, replicate.unit, "last")
                assert running["trainer"]["optimiser"]["state"]
                kept[replicate.epoch] = running["trainer"]["model"]
        if replicate.trial["selected_epoch"] < replicate.epoch:
            break
    selected = replicate.trial["selected_epoch"]
    assert selected < replicate.epoch, "no seed selected an epoch before its last"
    last, best = (
        _load(tmp_path, replicate.unit, "last")["trainer"],
        _load(tmp_path, replicate.unit, f"epoch-{selected}"),
    )
    assert "optimiser" not in last and "optimiser" not in best
    assert _same(best["model"], kept[selected])
    assert not _same(last["model"], best["model"])
    steps = replicate.sampler.steps
    assert last["index"] == steps * replicate.epoch and best["index"] == steps * selected

    again = make_replicate({"optimiser.lr": 0.05}, seed=seed)
    assert again.status == "done" and again.epoch == replicate.epoch
    assert _same(last["model"], again.trainer.model.state_dict())
