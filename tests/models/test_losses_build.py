"""The registry of terms, what a configuration builds, and the contract that every term keeps."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from harness.config.blocks.trial import TrialConfig
from models.energy import ENERGIES, TEMPERATURES
from models.environment import ENVIRONMENTS, SET_ENCODERS
from models.episode import Step
from models.losses import LOSSES, LossTerm, build_terms
from models.losses.adversary import GradientReversal
from models.losses.contrastive import Contrastive
from models.losses.prototypes import HingedPrototypes
from models.losses.regularisers import Calibration
from models.losses.speculation import Speculation
from models.sizes import Sizes
from models.streams import initialise
from tests.models.rows import build_row
from tests.models.steps import linear_energy, make_step
from tests.typed import as_a

SIZES = Sizes(cell_lines=4, features=5, width=3)
EVERYTHING: dict[str, Any] = {
    "temperature": {"mode": "learned", "penalty": 0.3},
    "environment": {"source": "support", "teacher": {"kind": "gradient"}},
    "loss": {
        "distillation": {"weight": 2.1},
        "gp_prior": {"weight": 2.2},
        "ranking": {"weight": 0.1},
        "speculation": {"weight": 0.2, "margin": 0.7, "prior": 3.0},
        "contrastive": {"weight": 0.3, "tau": 0.4, "bank": 9},
        "prototypes": {"weight": 0.4, "momentum": 0.8, "radius": 0.25},
        "sparsity": {"z_i": 0.5, "z_e": 0.6, "r": 0.7, "groups": 1.9},
        "calibration": {"weight": 0.8, "mean": 0.3, "variance_low": 0.9, "variance_high": 1.1},
    },
    "decouple": {
        "orthogonal": 0.9,
        "pearson": 1.1,
        "grl": 1.2,
        "infonce": 1.3,
        "club": 1.4,
        "hsic": 1.5,
        "conditional_grl": 1.6,
        "irm": 1.7,
        "vib": 1.8,
    },
}


def build(settings: dict[str, Any]) -> dict[str, tuple[LossTerm, float]]:
    terms = build_terms(TrialConfig.model_validate(settings).model_dump(), SIZES)
    assert terms[0][0].key == "task"
    assert terms[0][1] == 1.0
    return {term.key: (term, weight) for term, weight in terms}


@pytest.mark.parametrize(
    "registry", [ENERGIES, TEMPERATURES, ENVIRONMENTS, SET_ENCODERS, LOSSES], ids=lambda r: r.kind
)
def test_every_row_has_its_texts(registry: Any) -> None:
    rows = list(registry)
    assert rows
    for row in rows:
        for text in ("id", "name", "equation", "shapes", "source"):
            assert len(getattr(row, text).strip()) > 2, f"{row.key}: {text}"
        assert row.id[0] == "M"
        assert row.id[1:].isdigit()
        assert "->" in row.shapes
        assert row.cls.__doc__, row.key
        assert row.cls.__doc__ != row.cls.__mro__[1].__doc__, row.key


def test_nothing_is_built_for_a_weight_of_zero() -> None:
    assert list(build({})) == ["task"]


ORDER = [
    "task",
    "ranking",
    "speculation",
    "contrastive",
    "prototypes",
    "distillation",
    "gp_prior",
    "sparsity_z_i",
    "sparsity_z_e",
    "sparsity_r",
    "sparsity_groups",
    "calibration",
    "temperature",
    "orthogonal",
    "pearson",
    "infonce",
    "club",
    "hsic",
    "grl",
    "conditional_grl",
    "irm",
    "vib",
]
"""Of the sum of terms, whose last bits depend on it: recorded results are equal only while it stays."""


def test_everything_is_built_in_order_with_its_weight_and_reach() -> None:
    terms = build(EVERYTHING)
    weights = {key: weight for key, (_, weight) in terms.items()}
    assert weights == {
        "task": 1.0,
        "ranking": 0.1,
        "speculation": 0.2,
        "contrastive": 0.3,
        "prototypes": 0.4,
        "sparsity_z_i": 0.5,
        "sparsity_z_e": 0.6,
        "sparsity_r": 0.7,
        "sparsity_groups": 1.9,
        "distillation": 2.1,
        "gp_prior": 2.2,
        "calibration": 0.8,
        "temperature": 0.3,
        "orthogonal": 0.9,
        "pearson": 1.1,
        "grl": 1.2,
        "infonce": 1.3,
        "club": 1.4,
        "hsic": 1.5,
        "conditional_grl": 1.6,
        "irm": 1.7,
        "vib": 1.8,
    }
    assert list(terms) == ORDER
    assert all(term.reach == type(term).reach for term, _ in terms.values())


def test_settings_arrive_in_the_terms() -> None:
    terms = {key: term for key, (term, _) in build(EVERYTHING).items()}
    speculation = as_a(Speculation, terms["speculation"])
    assert (speculation.margin, speculation.prior) == (0.7, 3.0)
    contrastive = as_a(Contrastive, terms["contrastive"])
    assert (contrastive.tau, contrastive.bank, contrastive.width) == (0.4, 9, 3)
    prototypes = as_a(HingedPrototypes, terms["prototypes"])
    assert (prototypes.momentum, prototypes.radius, prototypes.cell_lines) == (0.8, 0.25, 4)
    calibration = as_a(Calibration, terms["calibration"])
    assert (calibration.mean, calibration.variance_low, calibration.variance_high) == (0.3, 0.9, 1.1)
    classifier = as_a(GradientReversal, terms["grl"]).classifier
    assert as_a(nn.Linear, classifier[-1]).out_features == 4


@pytest.mark.parametrize(
    ("path", "value", "key", "name"),
    [
        ("task", "immax", "task", "Immax"),
        ("task", "bce", "task", "BinaryCrossEntropy"),
        ("ranking", {"weight": 1, "surrogate": "pairwise", "max_pairs": 7}, "ranking", "PairwiseRanking"),
        ("ranking", {"weight": 1, "surrogate": "smooth_ap", "tau": 0.1}, "ranking", "SmoothApRanking"),
        ("prototypes", {"weight": 1, "kind": "pull"}, "prototypes", "PullPrototypes"),
        ("prototypes", {"weight": 1, "kind": "hinged"}, "prototypes", "HingedPrototypes"),
        (
            "prototypes",
            {"weight": 1, "kind": "contrastive", "tau": 0.7},
            "prototypes",
            "ContrastivePrototypes",
        ),
    ],
)
def test_a_choice_builds_its_class(path: str, value: Any, key: str, name: str) -> None:
    term, _ = build({"loss": {path: value}})[key]
    assert type(term).__name__ == name
    given = value if isinstance(value, dict) else {}
    for setting in ("max_pairs", "tau"):
        if setting in given:
            assert getattr(term, setting) == given[setting]


def test_reach_both_and_a_temperature_per_cell_line() -> None:
    keys = ("orthogonal", "pearson", "infonce", "club", "hsic")
    settings = {
        "decouple": {**dict.fromkeys(keys, 1), "reach": "both"},
        "temperature": {"mode": "per_cell", "penalty": 1.0},
    }
    terms = build(settings)
    assert terms["orthogonal"][0].reach == terms["pearson"][0].reach == terms["hsic"][0].reach == set("SET")
    assert terms["infonce"][0].reach == terms["club"][0].reach == set("SETA")
    assert terms["temperature"][0].reach == {"G", "E"}
    plain = TrialConfig.model_validate(settings).model_dump()
    assert all(type(term).reach_in(plain) == term.reach for term, _ in terms.values()), "as declared"


@pytest.mark.parametrize("mode", ["fixed", "calibrated", "learned"])
def test_no_temperature_term_without_a_penalty(mode: str) -> None:
    assert "temperature" not in build({"temperature": {"mode": mode}})


@pytest.mark.parametrize("key", LOSSES.keys())
def test_state_is_pure_and_keeps_its_shape(key: str) -> None:
    term = build_row(key)
    state = term.initial_state()
    kept = {name: value.clone() for name, value in state.items()}
    value, new = term(make_step(seed=1), state)
    assert value.shape == ()
    assert torch.isfinite(value)
    assert set(new) == set(state)
    for name, before in kept.items():
        assert torch.equal(state[name], before), f"{name} was written in place"
        assert new[name].shape == before.shape
        assert not new[name].requires_grad
    repeated, _ = term(make_step(seed=1), state)
    assert torch.equal(value, repeated)


FIELDS = (
    "u",
    "z_i",
    "z_e",
    "r",
    "logit",
    "temperature",
    "kl",
    "channel_norm",
    "r_student",
    "r_heard",
    "r_teacher",
    "v_decoded",
    "log_prior",
)


@pytest.mark.parametrize("key", LOSSES.keys())
def test_replicates_run_under_vmap(key: str) -> None:
    members = [build_row(key) for _ in range(2)]
    initialise(members[1], 5)
    parameters = (
        torch.func.stack_module_state(members)[0] if any(True for _ in members[0].parameters()) else {}
    )
    steps = [make_step(seed=3 + k) for k in range(2)]
    states = [member(make_step(seed=1 + k), member.initial_state())[1] for k, member in enumerate(members)]
    given_too = ("channel_size", "pseudo_unseen", "shallow", "taught", "v")
    names = [*FIELDS, "label", "cell", "query_cell", *given_too]
    fields = {name: torch.stack([getattr(s, name) for s in steps]) for name in names}
    batched = {name: torch.stack([s[name] for s in states]) for name in states[0]}

    def run(parameters: dict, fields: dict, state: dict) -> tuple:
        def value(moved: dict) -> tuple[torch.Tensor, tuple]:
            given = {**fields, **moved}
            step = Step(**given, seed=0, index=0, energy_of=linear_energy(given["u"]))
            loss, new = torch.func.functional_call(members[0], parameters, (step, state))
            return loss, (loss, new)

        gradients, (loss, new) = torch.func.grad(value, has_aux=True)({name: fields[name] for name in FIELDS})
        return loss, new, gradients

    dims = (0 if parameters else None, 0, 0 if batched else None)
    together, after, gradients = torch.func.vmap(run, in_dims=dims)(parameters, fields, batched)
    for k, member in enumerate(members):
        leaves = [getattr(steps[k], name).requires_grad_() for name in FIELDS]
        alone, new = member(steps[k], states[k])
        assert torch.allclose(together[k], alone, rtol=1e-9)
        assert all(torch.allclose(after[name][k], new[name]) for name in new)
        found = torch.autograd.grad(alone, leaves, allow_unused=True, materialize_grads=True)
        for name, gradient in zip(FIELDS, found, strict=True):
            assert torch.allclose(gradients[name][k], gradient, rtol=1e-7, atol=1e-12), name


def test_calibration_by_hand() -> None:
    term = LOSSES.build("calibration", mean=0.5, variance_low=0.5, variance_high=2.0)
    step = make_step(u=torch.tensor([[0.0, 4.0]]), logit=torch.zeros(1, 2))
    # mean 2, biased variance 4
    assert term(step, {})[0].item() == pytest.approx(1.5**2 + 2.0**2)
    step = make_step(u=torch.tensor([[0.1, 0.1]]), logit=torch.zeros(1, 2))
    assert term(step, {})[0].item() == pytest.approx(0.5**2)
    step = make_step(u=torch.tensor([[-1.0, 1.0]]), logit=torch.zeros(1, 2))
    assert term(step, {})[0].item() == 0.0
    with pytest.raises(ValueError, match="above"):
        LOSSES.build("calibration", variance_low=3.0, variance_high=2.0)


def test_sparsity_and_temperature_by_hand() -> None:
    z_i = torch.tensor([[[1.0, -3.0]]])
    step = make_step(
        z_i=z_i, z_e=torch.tensor([[-2.0, 0.0]]), r=torch.tensor([[-0.5]]), temperature=torch.tensor([[1.5]])
    )
    wanted = {"sparsity_z_i": 2.0, "sparsity_z_e": 1.0, "sparsity_r": 0.5, "temperature": 0.25}
    step = replace(step, channel_norm=torch.tensor([3.0, 2.0]), channel_size=torch.tensor([4.0, 9.0]))
    assert LOSSES.build("sparsity_groups")(step, {})[0].item() == pytest.approx((2 * 3.0 + 3 * 2.0) / 13)
    with pytest.raises(ValueError, match="output channels"):
        LOSSES.build("sparsity_groups")(make_step(channel_norm=None), {})
    assert {key: LOSSES.build(key)(step, {})[0].item() for key in wanted} == wanted


def test_unknown_settings_are_errors() -> None:
    with pytest.raises(TypeError, match="radius"):
        LOSSES.build("prototypes_pull", cell_lines=2, width=2, radius=1.0)
    with pytest.raises(KeyError, match="did you mean 'ranking_smooth_ap'"):
        LOSSES.build("smooth_ap")
    settings = TrialConfig.model_validate(EVERYTHING).model_dump()
    for path, sentence in (("task", "immax, bce"), ("ranking", "pairwise, smooth_ap")):
        other = copy.deepcopy(settings)
        if path == "task":
            other["loss"]["task"] = "focal"
        else:
            other["loss"]["ranking"]["surrogate"] = "focal"
        with pytest.raises(KeyError, match=f"focal chooses no loss term; expected one of {sentence}"):
            build_terms(other, SIZES)
    settings["loss"]["contrastive"]["hierarchy"] = True
    with pytest.raises(TypeError, match="hierarchy"):
        build_terms(settings, SIZES)
