"""What a configuration builds of the loss terms, and the small ones by hand."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from harness.config.blocks.trial import ConfigurationBlock
from models.losses import LOSSES, LossTerm, build_terms
from models.losses.adversary import GradientReversal
from models.losses.contrastive import Contrastive
from models.losses.prototypes import HingedPrototypes
from models.losses.regularisers import Calibration
from models.losses.speculation import Speculation
from models.sizes import Sizes
from tests.models.steps import make_step
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
    terms = build_terms(ConfigurationBlock.model_validate(settings).model_dump(), SIZES)
    assert terms[0][0].key == "task"
    assert terms[0][1] == 1.0
    return {term.key: (term, weight) for term, weight in terms}


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
    plain = ConfigurationBlock.model_validate(settings).model_dump()
    assert all(type(term).reach_in(plain) == term.reach for term, _ in terms.values()), "as declared"


@pytest.mark.parametrize("mode", ["fixed", "calibrated", "learned"])
def test_no_temperature_term_without_a_penalty(mode: str) -> None:
    assert "temperature" not in build({"temperature": {"mode": mode}})


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
    settings = ConfigurationBlock.model_validate(EVERYTHING).model_dump()
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
