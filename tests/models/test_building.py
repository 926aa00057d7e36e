"""Composition: a model of parts that are given to it, and parts that a settings file chooses by their own declaration."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose
from models.building import build_model
from models.declared import DECLARED, declare
from models.energy import ENERGIES, Energy
from models.energy.dissipation import LinearEnergy
from models.energy.temperature import FixedTemperature
from models.environment import ENVIRONMENTS, SET_ENCODERS, Environment
from models.environment.cell_environment import CellEnvironment
from models.environment.identity import IdEnvironment
from models.environment.resistance import Resistance
from models.environment.set_encoders import MeanEncoder, SetEncoder
from models.environment.side import EnvironmentSide
from models.environment.student import SupportEnvironment
from models.episode import Support
from models.part import parameter_groups
from models.prism import PrismModel
from models.registry import EVERYWHERE, Registry, Settings
from models.streams import initialise
from tests.models.test_environment import make_support
from tests.typed import as_a

TEXTS = {"id": "M10", "name": "n", "equation": "e", "shapes": "-> s", "source": "s"}
SMALL = {
    "model.size": "small",
    "model.encoder": "cnn",
    "model.width": 8,
    "model.embedding": 4,
    "environment.width": 4,
}
GROUPS = {
    "sequence": "S",
    "energy": "G",
    "temperature": "G",
    "environment.source": "E",
    "environment.resistance": "E",
    "environment.placement": "E",
    "environment.teacher": "T",
    "environment.graph": "T",
}


def settings_of(changes: dict[str, Any]) -> dict[str, Any]:
    config: ConfigurationBlock = compose({}, {**SMALL, **changes}).resolved()
    return config.model_dump()


def sequence() -> Any:
    return build_model(settings_of({"model.bottleneck": 4}), 3).sequence


def by_hand() -> PrismModel:
    energy = LinearEnergy()
    resistance = energy.resistance(width=6, features=4, scope="cell", rank=8)
    source = SupportEnvironment(MeanEncoder(5, 6), features=4)
    environment = CellEnvironment(source, resistance, cell_lines=3)
    model = PrismModel(sequence(), energy, FixedTemperature(2.0), environment).double()
    initialise(model, 0)
    return model


def scored(model: PrismModel, support: Support) -> Any:
    u = torch.linspace(-1, 1, 15, dtype=torch.float64).reshape(3, 5)
    z_i = torch.ones(3, 5, 4, dtype=torch.float64)
    environment = model.environment_of(support)
    return u, model.score(u, z_i, environment, model.initial_reference(), warm=False)


def test_the_composed_equation_by_hand() -> None:
    model, support = by_hand(), make_support()
    u, scores = scored(model, support)
    environment = as_a(CellEnvironment, model.environment)
    head = as_a(nn.Linear, environment.resistance.cell_part)
    z_e = environment.source(support)
    r = nn.functional.softplus(z_e @ head.weight[0] + head.bias[0])
    torch.testing.assert_close(scores.logit, (u - r[:, None]) / 2.0, rtol=0, atol=1e-12)
    assert (model.features, model.width, model.cell_lines) == (4, 6, 3)
    assert model.rank_invariant(scores.r)


def test_a_model_without_an_environment_is_u_over_t() -> None:
    model = PrismModel(sequence(), LinearEnergy(), FixedTemperature(2.0), EnvironmentSide(3)).double()
    u, scores = scored(model, make_support())
    assert torch.equal(scores.logit, u / 2.0)
    assert torch.equal(scores.r, torch.zeros(3, 1).double())
    assert scores.r_teacher is None
    assert model.environment.initial_memory() == {}
    assert not model.environment.acts
    with pytest.raises(LookupError, match="neither Student nor Teacher"):
        _ = model.environment.branches


def test_every_part_declares_the_group_of_its_parameters() -> None:
    graph = {"kind": "gcn", "map": "attention"}
    changes: dict[str, Any] = {f"environment.graph.{key}": value for key, value in graph.items()}
    changes |= {
        "environment.teacher.kind": "gradient",
        "loss.distillation.weight": 0.5,
        "energy.form": "gated",
    }
    model = build_model(settings_of({**changes, "temperature.mode": "per_cell"}), 3)
    groups = model.groups()
    for group, members in groups.items():
        assert members, group
        for name in members:
            assert [g for prefix, g in GROUPS.items() if name.startswith(f"{prefix}.")] == [group], name
    assert sum(map(len, groups.values())) == len(list(model.parameters()))
    with pytest.raises(TypeError, match=r"parameter '0\.weight' is in no part that declares its group"):
        parameter_groups(nn.Sequential(nn.Linear(1, 1)))


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registries that forget what a test enters."""
    for registry in (ENERGIES, ENVIRONMENTS, SET_ENCODERS):
        monkeypatch.setattr(registry, "_rows", dict(registry._rows))


@pytest.mark.usefixtures("free")
def test_an_energy_is_one_class_with_its_own_keys_and_resistance() -> None:
    @ENERGIES.register("halved", **TEXTS)
    class Halved(LinearEnergy):
        """l = share U_I - R_E / T."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

        def resistance(self, *, width: int, features: int, scope: Any, rank: int) -> Resistance:
            return Resistance(width, features, scope, rank, standardise=True)

    settings = settings_of({})
    settings["energy"] = {"form": "halved", "share": 0.5}
    model = build_model(settings, 3)
    assert as_a(Halved, model.energy).share == 0.5
    assert as_a(CellEnvironment, model.environment).resistance.standardise
    settings["energy"]["shrae"] = 0.5
    with pytest.raises(TypeError, match="shrae"):
        build_model(settings, 3)


def source_of(settings: Settings) -> Environment:
    """The environment source of the model of three cell lines that the settings build."""
    return as_a(CellEnvironment, build_model(settings, 3).environment).source


@pytest.mark.usefixtures("free")
def test_a_set_encoder_and_a_source_are_one_class_each() -> None:
    @SET_ENCODERS.register("largest", **TEXTS)
    class Largest(SetEncoder):
        """z = linear(max_s x_s)."""

        acts = EVERYWHERE
        reads = frozenset({"support"})

        def __init__(self, inputs: int, width: int) -> None:
            super().__init__(inputs, width)
            self.out = nn.Linear(inputs, width)

        def encode(self, x: Tensor) -> Tensor:
            return self.out(x.amax(-2))

    @ENVIRONMENTS.register("loud", **TEXTS)
    class Loud(IdEnvironment):
        """z_E = loudness e_c."""

        def __init__(self, cell_lines: int, width: int, loudness: float) -> None:
            super().__init__(cell_lines, width)
            self.loudness = loudness

    settings = settings_of({"environment.encoder": "mean"})
    settings["environment"]["encoder"] = "largest"
    encoder = as_a(Largest, as_a(SupportEnvironment, source_of(settings)).encoder)
    assert (encoder.inputs, encoder.width) == (9, 4)
    environment = {"source": "loud", "width": 4, "loudness": 2.0, "scope": "cell", "rank": 8}
    source = as_a(Loud, source_of({**settings, "environment": environment}))
    assert source.loudness == 2.0
    assert source.table.weight.shape == (3, 4)
    with pytest.raises(KeyError, match="did you mean 'loud'"):
        build_model({**settings, "environment": {**environment, "source": "lood"}}, 3)


def test_a_choice_that_the_settings_lack_is_none() -> None:
    choices: Registry[Energy] = Registry("choice", Energy, path="a.b.kind")
    assert choices.chosen({"a": {"b": {"kind": "x", "n": 1}}}) == "x"
    assert choices.beside_choice({"a": {"b": {"kind": "x", "n": 1}}}) == {"n": 1}
    assert choices.chosen({"a": {}}) == choices.chosen({}) == "none"


def test_a_mechanism_without_a_text_or_declared_twice_is_refused() -> None:
    fields: dict[str, Any] = {"kind": "k", "when": {"a": 1}} | {k: v for k, v in TEXTS.items() if k != "id"}
    fields |= {"acts": EVERYWHERE, "reads": frozenset()}
    count = len(DECLARED)
    with pytest.raises(ValueError, match="mechanism 'new' is declared without kind, equation"):
        declare("M10", "new", **{**fields, "kind": "", "equation": ""})
    with pytest.raises(ValueError, match="fusion 'fusion' is declared twice"):
        declare("M26", "fusion", **{**fields, "kind": "fusion"})
    assert len(DECLARED) == count
