"""What a unit leaves on disk: enough to continue while it runs, and no more than the weights afterwards."""

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.trial.checkpoint import Checkpoints, Damaged
from tests.harness.conftest import MakeUnit


def _load(tmp_path: Path, unit: str, name: str) -> dict[str, Any]:
    return torch.load(tmp_path / "run" / "checkpoints" / unit / f"{name}.pt", weights_only=True)


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_finished_replicate_keeps_two_weights_and_no_optimiser(make_unit: MakeUnit, tmp_path: Path) -> None:
    kept: dict[int, dict[str, torch.Tensor]] = {}
    for seed in range(5):
        unit_run = make_unit({"optimiser.lr": 0.05}, seed=seed)
        while not unit_run.finished:
            unit_run.advance()
            if not unit_run.finished:
                running = _load(tmp_path, unit_run.unit, "last")
                assert running["trainer"]["optimiser"]["state"]
                kept[unit_run.epoch] = running["trainer"]["model"]
        if unit_run.row["selected_epoch"] < unit_run.epoch:
            break
    selected = unit_run.row["selected_epoch"]
    assert selected < unit_run.epoch, "no seed selected an epoch before its last"
    last, best = (
        _load(tmp_path, unit_run.unit, "last")["trainer"],
        _load(tmp_path, unit_run.unit, f"epoch-{selected}"),
    )
    assert "optimiser" not in last
    assert "optimiser" not in best
    assert _same(best["model"], kept[selected])
    assert not _same(last["model"], best["model"])
    steps = unit_run.sampler.steps
    assert last["index"] == steps * unit_run.epoch
    assert best["index"] == steps * selected

    again = make_unit({"optimiser.lr": 0.05}, seed=seed)
    assert again.status == "done"
    assert again.epoch == unit_run.epoch
    assert _same(last["model"], again.trainer.model.state_dict())


CPU = torch.device("cpu")


def _state(value: float) -> dict[str, Any]:
    return {"model": {"w": torch.full((8,), value)}, "index": 3}


def test_a_changed_byte_anywhere_is_found(tmp_path: Path) -> None:
    stored = Checkpoints(tmp_path / "unit-0")
    stored.save("last", _state(0.5))
    file = tmp_path / "unit-0" / "last.pt"
    whole = file.read_bytes()
    assert torch.equal(torch.load(file, weights_only=True)["model"]["w"], torch.full((8,), 0.5))
    for at in range(0, len(whole), 7):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(Damaged):
            Checkpoints(tmp_path / "unit-0").load("last", CPU)
    for length in (0, 5, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            Checkpoints(tmp_path / "unit-0").load("last", CPU)
    file.write_bytes(whole)
    assert Checkpoints(tmp_path / "unit-0").load("last", CPU) is not None


def test_what_is_of_another_unit_epoch_or_moment_is_not_loaded(tmp_path: Path) -> None:
    one, other = Checkpoints(tmp_path / "unit-0"), Checkpoints(tmp_path / "unit-1")
    for stored in (one, other):
        stored.save("epoch-2", _state(0.5))
    file = tmp_path / "unit-0" / "epoch-2.pt"
    older = file.read_bytes()
    one.save("epoch-3", _state(0.7))
    (tmp_path / "unit-0" / "epoch-3.pt").write_bytes(older)
    with pytest.raises(
        Damaged, match=r"epoch-3.pt cannot be read \(it is checkpoint epoch-2 of unit unit-0\)"
    ):
        one.load("epoch-3", CPU)
    one.save("epoch-2", _state(0.7))
    file.write_bytes(older)
    with pytest.raises(Damaged, match="it holds other weights than those that were saved last"):
        one.load("epoch-2", CPU)
    file.write_bytes((tmp_path / "unit-1" / "epoch-2.pt").read_bytes())
    with pytest.raises(Damaged, match="it is checkpoint epoch-2 of unit unit-1"):
        one.load("epoch-2", CPU)


def test_folder_or_dangling_link_is_damage_and_no_file_is_none(tmp_path: Path) -> None:
    stored = Checkpoints(tmp_path / "unit-0")
    assert stored.load("last", CPU) is None
    (tmp_path / "unit-0" / "last.pt").mkdir(parents=True)
    (tmp_path / "unit-0" / "epoch-1.pt").symlink_to(tmp_path / "nothing")
    with pytest.raises(Damaged, match=r"last.pt cannot be read \(it is no regular file\)"):
        stored.load("last", CPU)
    with pytest.raises(Damaged, match=r"epoch-1.pt cannot be read \(No such file or directory\)"):
        stored.load("epoch-1", CPU)
