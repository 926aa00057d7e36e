"""A process with a person's files: the sweep of `python -m tests.harness.brought FOLDER`, told as JSON."""

import contextlib
import io
import json
import sys
from pathlib import Path

import pytest

from analysis.store import Run
from harness.config.__main__ import main as print_schema
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import find
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.mechanisms.registered import registered
from harness.stamp.code import Code
from tests.harness.without_ray import YAML, Small

FILE = '''"""A quadratic pull on the logits, and an energy that knows no environment but a factor."""

from typing import Literal

from pydantic import Field
from torch import Tensor

from harness.config.blocks.block import Block
from harness.config.blocks.loss import Weight, loss_block
from harness.config.blocks.model import EnergyBlock
from harness.config.blocks.registered import choice
from models.energy.base import ENERGIES, Energy, everywhere
from models.episode import Step
from models.losses import LOSSES, LossTerm
from models.losses.term import EVERY_SIDE, State
from models.registry import EVERYWHERE


@loss_block("flat")
class FlatBlock(Block):
    """Keeps logits near 0."""

    weight: Weight = 0.0
    scale: float = Field(1.0, gt=0.0)
    """Logit at which the price is 1."""


@LOSSES.register(
    "flat", id="M90", name="flat logits", equation="mean (l / s)^2", shapes="[E, Q] -> scalar", source="mine"
)
class Flat(LossTerm):
    """mean (l / s)^2 over the queries."""

    key = "flat"
    weight = "loss.flat.weight"
    reach = EVERY_SIDE
    in_phase1 = False
    ramps = True
    reads = frozenset({"logit"})
    objectives = {("value", "SETG"): ("mean square of the logits", "down")}
    needs = frozenset()

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return (step.logit / self.scale).square().mean(), {}


@choice("energy.form")
class ShiftedEnergy(EnergyBlock):
    """l = (U_I - by R_E) / T."""

    form: Literal["shifted"]
    by: float = Field(2.0, gt=0.0)


@ENERGIES.register(
    "shifted", id="M91", name="shifted", equation="l = (U_I - b R_E) / T", shapes="[E, Q] -> [E, Q]", source="mine"
)
class Shifted(Energy):
    """l = (U_I - b R_E) / T with R_E >= 0."""

    acts = EVERYWHERE
    reads = frozenset({"u", "r", "temperature"})
    nonnegative_resistance = True
    standardise_resistance = False

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        return (u - self.by * r) / temperature

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return everywhere(r)
'''
SWEEP = YAML.replace("set:\n", "use: [mine.py]\nset:\n  loss.flat.weight: 0.5\n").replace(
    "design: grid\n", "design: grid\nspace:\n  energy.form: {grid: [linear, shifted]}\n"
)


def said(path: str, changes: dict[str, object]) -> str:
    """The sentence with which a configuration is refused."""
    try:
        find(path)
        compose({}, changes)
    except ConfigError as error:
        return str(error)
    return ""


def schema(sweep: Path) -> dict[str, object]:
    """What `python -m harness.config schema FILE` says of the keys under `set`."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["harness.config", "schema", str(sweep)])
        assert print_schema() == 0
    keys: dict[str, object] = json.loads(printed.getvalue())["properties"]["set"]["properties"]
    return keys


def main(folder: Path) -> None:
    (folder / "mine.py").write_text(FILE)
    small = Small(folder)
    start = small.start(yaml=SWEEP)
    rows = Run(small.path).columns("units", ["config", "status", "config_json"])
    told = {
        "configurations": len(start.plan.configs),
        "statuses": sorted(rows["status"]),
        "forms": sorted({json.loads(text)["energy"]["form"] for text in rows["config_json"]}),
        "preset": compose(load_preset("minimal"), {}).id,
        "with": ConfigurationBlock.model_validate({"loss": {"flat": {"weight": 1.0}}}).id,
        "modules": [name for name in Code.today().modules if name.startswith("use.")],
        "copies": sorted(path.name for path in (small.path / "use").iterdir()),
        "catalogue": [row.key for row in registered() if row.id in ("M90", "M91")],
        "nearest key": said("loss.flat.scal", {}),
        "nearest form": said("energy.form", {"energy.form": "shiftd"}),
        "outside its variant": said("energy.by", {"energy.by": 1.0}),
        "range": said("energy.by", {"energy.form": "shifted", "energy.by": -1.0}),
    }
    told["schema"] = schema(folder / "small.yaml")
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
