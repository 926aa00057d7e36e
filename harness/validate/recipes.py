"""What the healthy trials are made by: presets of a few seconds, some of them with a Teacher and a competition."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BP = 80
SMALL: dict[str, Any] = {
    "model.size": "small", "model.encoder": "cnn", "model.embedding": 4, "model.width": 8, "model.pool": 12,
    "model.enhancer_bp": BP, "model.promoter_bp": BP, "model.self_attention_layers": 0, "model.dropout": 0.1,
    "support.size": 8, "support.draws": 2, "episode.query": 16, "episode.per_step": 4, "optimiser.lr": 0.01,
    "optimiser.epochs": 4, "evaluation.train_subset": 256, "audit": "warn",
}  # fmt: skip
"""What makes a preset small: 100 steps on 1 600 pairs, 800 unseen pairs of 2 cell lines."""
TAUGHT: dict[str, Any] = {
    "episode.query": 8, "optimiser.epochs": 3, "optimiser.steps_per_epoch": 100, "support.size": 64,
    "episode.pseudo_unseen": 0.5, "routing": "shared",
    "environment.teacher.kind": "gradient", "loss.distillation.weight": 2.0, "loss.competition.weight": 10.0,
    "loss.competition.folds": 2,
}  # fmt: skip
"""Beside it 300 steps, a Teacher that distils, and a competition, at weights that are felt: what rules judge that presets
of 100 steps do not have. Support sets of 64 pairs through which the sequence side learns as well, since the features of one
that learns from U_I alone do not tell these cell lines apart: of such a Student's R_S nothing is R_T's within 300 steps."""
FORMS = ("linear", "interaction", "gated", "modulated")
"""Energies that labels are drawn from."""
LEVELS = ("linear", "interaction")
"""Those of which cell lines differ in level, as their prevalences do: what a Teacher has to tell a Student of."""


@dataclass(frozen=True)
class Recipe:
    """A preset with `changes`, on data of `forms`. `documented`: the fault that its documents say it has, None where they
    do not; `seeds`: of each configuration that are trained together, as one stack."""

    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    documented: str | None = None
    seeds: int = 4
    forms: tuple[str, ...] = FORMS


RECIPES = {
    "minimal": Recipe("minimal"),
    "cross_attention": Recipe("cross_attention"),
    "rp24": Recipe("rp24", documented="drowned_term"),
    "rp25": Recipe("rp25", documented="drowned_term"),
    "rp24, z_i raised": Recipe("rp24", {"loss.sparsity.z_i": 0.1}),
    "rp25, grl raised": Recipe("rp25", {"decouple.grl": 1.0}),
    "taught": Recipe("minimal", TAUGHT, seeds=8, forms=LEVELS),
    "taught, interaction": Recipe("minimal", {**TAUGHT, "energy.form": "interaction"}, seeds=8, forms=LEVELS),
    "taught, attention": Recipe(
        "minimal", {**TAUGHT, "environment.encoder": "attention"}, seeds=8, forms=LEVELS
    ),
}
"""Name -> what is trained. rp24 and rp25 have the weights 0.1 and 0.01 of their record points, which source document 004
calls without effect: a fault that is planted, though not by us. Beside each stands the same with the one weight raised that
drowns."""
