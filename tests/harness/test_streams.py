"""Random streams hang on declared names: the committed list of all of them, and what a name may not be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from harness.config.blocks.paths import flatten
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.store.writer import RunWriter
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun
from models.streams import Composed, Dropout, GaussianNoise, drawing, initialise
from tests.harness.conftest import TINY
from tests.narrow import instance

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("streams.txt")
"""A line per stream: what is drawn, the name, and the configurations that draw from it."""
PRESETS = sorted(path.stem for path in (ROOT / "search_spaces" / "presets").glob("*.yaml"))
SHORT = {**flatten({key: TINY[key] for key in ("support", "episode")}), "model.size": "small", "audit": "off"}
TEACHER = {"environment.teacher.kind": "gradient", "loss.distillation.weight": 0.5}
VARIANTS: dict[str, dict[str, Any]] = {
    "mean": {"environment.encoder": "mean", "energy.form": "interaction", "support.labels": True},
    "attention": {"environment.encoder": "attention", "energy.form": "blocking"},
    "isab": {"environment.encoder": "isab", "energy.form": "gated"},
    "id": {"environment.source": "id", "environment.unseen": "mean", "temperature.mode": "per_cell"},
    "features": {"environment.source": "features", "loss.reconstruction.weight": 0.5},
    "walk": {**TEACHER, "environment.graph.kind": "random_walk", "environment.graph.map": "attention"},
    "average": {"environment.teacher.kind": "ema", "loss.distillation.weight": 0.5},
    "binding": {"energy.form": "binding", "temperature.mode": "learned"},
    "sample": {"environment.scope": "sample", "model.share_sides": True, "model.bottleneck": 6},
    "dual": {"decouple.dual_stream": True, "decouple.pearson": 0.5, "decouple.vib": 0.1},
    "critics": {f"decouple.{name}": 0.1 for name in ("infonce", "club", "grl", "conditional_grl")},
}


def configurations() -> Iterator[tuple[str, ConfigurationBlock]]:
    for name in PRESETS:
        yield name, compose(load_preset(name), SHORT).resolved()
    for name, changes in VARIANTS.items():
        yield name, compose(TINY, changes).resolved()


def streams(trainer: Trainer) -> Iterator[str]:
    """`what name` of everything that the trainer's model and terms draw."""
    for owner, root in (("model", trainer.model), ("terms", trainer.terms)):
        for name, module in drawing(root).items():
            kinds = {Dropout: "dropout", GaussianNoise: "normal"}
            yield f"{owner} {kinds.get(type(module), 'init')} {name}"
            assert not isinstance(module, Dropout | GaussianNoise) or module.stream == name


def test_every_stream_has_the_name_in_the_list(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    """A name that changes changes results: a part that was renamed or moved declares its old name (`Composed`)."""
    users: dict[str, list[str]] = {}
    for name, config in configurations():
        unit_run = UnitRun(config, tiny_dataset, tiny_fold, 0, RunWriter(tmp_path / name))
        for stream in streams(unit_run.trainer):
            users.setdefault(stream, []).append(name)
    lines = [f"{stream}: {' '.join(names)}" for stream, names in sorted(users.items())]
    listed = LIST.read_text(encoding="utf-8").splitlines()
    assert set(lines) - set(listed) == set(), "drawn from and not listed"
    assert set(listed) - set(lines) == set(), "listed and not drawn from"


class Renamed(Composed):
    streams: ClassVar = {"new": "old", "inner": ""}

    def __init__(self) -> None:
        super().__init__()
        self.new = nn.Linear(2, 3)
        self.inner = nn.ModuleDict({"deep": nn.Linear(3, 1)})


def test_moved_part_keeps_its_numbers_under_its_declared_name() -> None:
    old, deep = nn.Linear(2, 3), nn.Linear(3, 1)
    model, before = Renamed(), nn.ModuleDict({"old": old, "deep": deep})
    initialise(model, 5)
    initialise(before, 5)
    assert list(drawing(model)) == ["old", "deep"]
    assert torch.equal(model.new.weight, old.weight)
    assert torch.equal(instance(nn.Linear, model.inner["deep"]).weight, deep.weight)


def test_two_modules_under_one_name_are_refused() -> None:
    model = Renamed()
    model.inner["old"] = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="two modules draw from the stream 'old': Linear and Linear"):
        initialise(model, 0)


def test_a_part_without_a_declared_name_is_refused() -> None:
    model = Renamed()
    model.other = nn.Linear(1, 1)
    with pytest.raises(TypeError, match="Renamed declares no stream name for its part 'other'"):
        initialise(model, 0)
