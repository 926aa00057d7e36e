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
COMPETING: dict[str, Any] = {
    "episode.pseudo_unseen": 0.5, "loss.competition.weight": 10.0, "loss.competition.folds": 2,
}  # fmt: skip
"""A competition at a weight that is felt, in as many episodes as its rule asks for."""
TAUGHT: dict[str, Any] = {
    "episode.query": 8, "optimiser.epochs": 4, "optimiser.steps_per_epoch": 75, "support.size": 16,
    "episode.pseudo_unseen": 0.5, "routing": "shared",
    "environment.teacher.kind": "gradient", "loss.distillation.weight": 2.0,
}  # fmt: skip
"""300 steps, which R_E takes to grow, and a Teacher that distils, at a weight that is felt. The sequence side learns
through the support sets as well."""
MARKER: dict[str, Any] = {
    **TAUGHT, "environment.encoder": "attention", "optimiser.epochs": 3, "optimiser.steps_per_epoch": 100,
    "support.size": 64, "loss.competition.weight": 10.0, "loss.competition.folds": 2,
}  # fmt: skip
"""A Student with a set encoder of attention that reads more pairs, and that learns nothing all the same where cell lines
differ in a marker alone."""
BASE: dict[str, Any] = {
    "cell_lines": 8, "chromosomes": 2, "enhancer_bp": BP, "promoter_bp": BP, "motifs": 1, "environment_dim": 1,
    "pairs_per_cell": 800, "strength": 3.0,
}  # fmt: skip
"""Data of a form."""
CONTRAST: dict[str, Any] = {"motifs": 2}
"""Data whose cell lines differ in what makes U_I: of a pair of motifs each line has more of one. Where they differ in a
marker alone, which means nothing to U_I, the features that the sequence side learns hardly tell them apart."""
FORMS = ("linear", "interaction", "gated", "modulated")
"""Energies that labels are drawn from."""
LEVELS = ("linear", "interaction")
"""Those of which cell lines differ in level, as their prevalences do: what a Teacher has to tell a Student of."""


@dataclass(frozen=True)
class Recipe:
    """A preset with `changes`, on `data` of `forms`. `fault`: what it is bound to have, as documents say of its weights or
    as its data are made, None for a healthy recipe; `seeds`: of each configuration that are trained as one stack;
    `audited`: so many of them have twins, so that mechanisms are judged there, all of them where it is None."""

    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None
    seeds: int = 4
    forms: tuple[str, ...] = FORMS
    data: Mapping[str, Any] = field(default_factory=dict)
    audited: int | None = None


RECIPES = {
    "minimal": Recipe("minimal"),
    "cross_attention": Recipe("cross_attention"),
    "rp24": Recipe("rp24", fault="drowned_term", audited=1),
    "rp25": Recipe("rp25", fault="drowned_term", audited=1),
    "rp24, z_i raised": Recipe("rp24", {"loss.sparsity.z_i": 0.1}),
    "rp25, grl raised": Recipe("rp25", {"decouple.grl": 0.3}),
    "competing": Recipe("minimal", COMPETING, seeds=8, audited=4, forms=LEVELS),
    "taught": Recipe("minimal", TAUGHT, seeds=8, forms=LEVELS, data=CONTRAST, audited=1),
    "taught, interaction": Recipe(
        "minimal",
        {**TAUGHT, "energy.form": "interaction"},
        seeds=8,
        forms=LEVELS,
        data=CONTRAST,
        audited=1,
    ),
    "taught, attention": Recipe(
        "minimal",
        {**TAUGHT, "environment.encoder": "attention"},
        seeds=8,
        forms=LEVELS,
        data=CONTRAST,
        audited=1,
    ),
    "taught, marker alone": Recipe("minimal", MARKER, fault="lazy_teacher", seeds=8, forms=LEVELS, audited=1),
}
"""Name -> what is trained. rp24 and rp25 have the weights 0.1 and 0.01 of their record points, which source document 004
calls without effect: a fault that is planted, though not by us. Beside each stands the same with the one weight raised that
drowns, as far as it is felt and does not take U_I apart."""
