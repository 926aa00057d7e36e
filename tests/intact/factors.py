"""What the rows of the intact matrix are made of: factors with their levels, and the settings of a row."""

from collections.abc import Mapping
from typing import Any

from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.mechanisms.alone import HINGE

Row = Mapping[str, str]
"""A row of the matrix: `name`, and a preset, an energy with its scope, or a level of every factor."""
Changes = dict[str, Any]

SHORT: Changes = {
    "optimiser.epochs": 2,
    "optimiser.steps_per_epoch": 8,
    "support.draws": 2,
    "evaluation.train_subset": 64,
    "audit": "strict",
    "model.enhancer_bp": 80,
    "model.promoter_bp": 100,
}
"""Two epochs of eight steps each, little to evaluate, and windows as long as the planted sequences are."""
LONG: Changes = {"model.enhancer_bp": 400, "model.promoter_bp": 1600}
"""Windows of the real pairs."""
TINY: Changes = {
    "model.embedding": 4,
    "model.kernel": 5,
    "model.width": 8,
    "model.pool": 12,
    "model.heads": 2,
    "environment.width": 4,
    "support.size": 8,
    "episode.query": 16,
}
"""Sizes of every row that is no preset."""
ENERGIES = ("linear", "interaction", "binding", "gated", "boosted_gate", "threshold_gate", "blocking")
SCOPES = ("cell", "sample")
MANY = "many"
"""What stands for factor `data` in the second row of a preset: more cell lines than a few steps show."""
REAL = "real"
"""The level of factor `data` that is no synthetic form."""


def weighed(*methods: str) -> dict[str, Changes]:
    """Methods of decoupling, each at a weight at which it acts."""
    return {method: {f"decouple.{method}": 0.5} for method in methods}


FACTORS: dict[str, dict[str, Changes]] = {
    "decoupling": {
        "none": {},
        **weighed("orthogonal", "pearson", "infonce", "club", "hsic"),
        **weighed("grl", "conditional_grl", "irm", "vib"),
        "dual_stream": {"decouple.dual_stream": True},
    },
    "environment": {
        "moments": {"environment.encoder": "moments"},
        "mean": {"environment.encoder": "mean"},
        "attention": {"environment.encoder": "attention"},
        "isab": {"environment.encoder": "isab", "environment.inducing": 4},
        "features": {"environment.source": "features", "environment.hidden": 8},
        "id": {"environment.source": "id", "environment.unseen": "mean"},
        "none": {"environment.source": "none"},
    },
    "data": {"gated": {}, "linear": {}, "interaction": {}, "modulated": {}, REAL: LONG},
    "temperature": {
        "fixed": {"temperature.mode": "fixed"},
        "learned": {"temperature.mode": "learned", "temperature.penalty": 0.1},
        "per_cell": {"temperature.mode": "per_cell", "temperature.penalty": 0.1},
        "calibrated": {"temperature.mode": "calibrated"},
    },
    "balance": {
        "fixed": {"balance.kind": "fixed"},
        "ramp": {"balance.kind": "ramp", "balance.epochs": 1.0},
        "grad_norm": {"balance.kind": "grad_norm", "balance.warmup": 4},
        "pcgrad": {"balance.kind": "pcgrad"},
    },
    "sampler": {kind: {"episode.sampler": kind} for kind in ("cell_batch", "meta_batch", "random")},
    "encoder": {kind: {"model.encoder": kind} for kind in ("cnn", "cbat", "cross_attention")},
}
"""Factor -> level -> its changes; the first level of each stands where nothing else is asked for."""


def configuration(row: Row) -> ConfigurationBlock:
    """The resolved configuration of a row; raises ConfigError for levels that cannot stand together."""
    if "preset" in row:
        base = load_preset(row["preset"])
        late = base.get("curriculum", {}).get("phase1_epochs", 0) > 1
        changes = {**SHORT, **({"curriculum.phase1_epochs": 1} if late else {})}
        ramps = base.get("balance", {}).get("kind") == "ramp"
        return compose(base, {**changes, **({"balance.epochs": 1.0} if ramps else {})}).resolved()
    if "energy" in row:
        fitted = FACTORS["temperature"][row["temperature"]] if "temperature" in row else {}
        windows = FACTORS["data"][row.get("data", "gated")]
        changes = {"energy.form": row["energy"], "environment.scope": row["scope"], **fitted, **windows}
    else:
        changes = dict(change for factor, levels in FACTORS.items() for change in levels[row[factor]].items())
    bare = changes.get("environment.source") == "none"
    sizes = {path: value for path, value in TINY.items() if not (bare and path.startswith("environment."))}
    short = {path: value for path, value in SHORT.items() if not (bare and path == "support.draws")}
    return compose({}, {**short, **sizes, **HINGE, **changes}).resolved()


def defaults() -> dict[str, str]:
    """The first level of every factor."""
    return {factor: next(iter(levels)) for factor, levels in FACTORS.items()}
