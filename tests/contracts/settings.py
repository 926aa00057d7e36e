"""The smallest settings that switch on whatever is registered: the one table that suites and sabotages build from."""

from collections.abc import Mapping
from typing import Any

from analysis.rules import RULES
from harness.baselines.baseline import BASELINES
from harness.config.blocks.design import designs
from harness.mechanisms.mechanism import Mechanism
from harness.mechanisms.registered import registered, registries
from models.declared import GIVEN, POSITIVE

Changes = dict[str, Any]
TEACHER: Changes = {"environment.teacher.kind": "gradient", "loss.distillation.weight": 0.5}
GRAPH: Changes = {**TEACHER, "environment.graph.kind": "gcn"}
HIDDEN: Changes = {**TEACHER, "episode.pseudo_unseen": 0.25}
HINGE: Changes = {
    "loss.calibration.weight": 0.5,
    "loss.calibration.mean": 0.0,
    "loss.calibration.variance_low": 0.0,
    "loss.calibration.variance_high": 1e-6,
}
"""Beside every mechanism, so that the calibration of U_I acts and no balance is of the task alone."""


def by_themselves(keys: str) -> dict[str, Changes]:
    """Rows (keys apart by spaces) that act where they are chosen, with nothing beside."""
    return {key: {} for key in keys.split()}


SETTINGS: dict[str, dict[str, Changes]] = {
    "energy form": {
        **by_themselves("linear interaction binding gated boosted_gate threshold_gate blocking"),
    },
    "temperature mode": by_themselves("fixed learned per_cell calibrated"),
    "environment source": {
        "support": {},
        "features": {"environment.hidden": 8},
        "id": {"environment.unseen": "mean"},
    },
    "set encoder": by_themselves("mean moments attention isab"),
    "teacher": {"gradient": TEACHER, "ema": {"loss.distillation.weight": 0.5}},
    "prototype graph": {"gcn": GRAPH, "random_walk": {**GRAPH, "environment.graph.kind": "random_walk"}},
    "encoder": by_themselves("cbat cnn cross_attention"),
    "loss term": {
        **by_themselves("immax bce ranking_pairwise ranking_smooth_ap speculation"),
        **by_themselves("orthogonal pearson infonce club hsic"),
        **by_themselves("grl conditional_grl irm vib contrastive calibration"),
        **by_themselves("sparsity_z_i sparsity_groups sparsity_z_e sparsity_r"),
        **by_themselves("prototypes_pull prototypes_contrastive gp_prior"),
        "prototypes_hinged": {"loss.prototypes.radius": 0.001},
        "distillation": TEACHER,
        "competition": HIDDEN,
        "reconstruction": {"environment.source": "features"},
        "temperature": {"temperature.mode": "learned"},
    },
    "sampler": by_themselves("cell_batch meta_batch random"),
    "balance": by_themselves("fixed ramp grad_norm pcgrad"),
    "baseline": {
        **by_themselves("distance locus_lookup promoter_kmer_logistic pair_kmer_logistic"),
        **by_themselves("promoter_kmer_boosting pair_kmer_boosting"),
    },
    "design": {
        "grid": {
            "space": {
                "energy.form": {"grid": ["linear", "gated"]},
                "loss.ranking.weight": {"grid": [0.0, 0.5]},
            }
        },
        "search": {"space": {"loss.ranking.weight": {"uniform": [0.1, 1.0]}}},
        "leave_one_out": {},
        "add_one_in": {"design": {"kind": "add_one_in", "of": "rp24"}},
        "factorial": {
            "space": {"energy.form": {"grid": ["linear", "gated"]}},
            "design": {"kind": "factorial", "factors": ["moments"]},
        },
        "path": {"design": {"kind": "path", "to": "rp22"}},
    },
    "warning rule": {
        "overfit_train": {"train": (0.5, 0.97)},
        "generalisation_gap": {"train": (0.6, 0.94)},
        "mode_collapse": {"logit_sd": 0.01},
        "threshold_low": {"threshold_oracle": 0.01},
        "threshold_high": {"threshold_oracle": 0.99},
        "loose_boundary": {"recall": 0.9, "precision": 0.5},
        "over_capacity": {"parameters": 20_000},
        "negative_loss": {"loss": (0.1, -0.2)},
        "support_labels": {"labels": True},
        "never_acted": {"silent": True},
        "train_spike": {"train": (0.9, 0.9)},
        "not_learning": {"loss": (0.5, 0.6)},
        "zero_input": {"auc": 0.5},
        "drowned_term": {"pearson": {"grad_share": 0.001}},
        "saturated": {"saturated": 0.6},
        "temperature_extreme": {"logged": {"temperature": 20.0}},
        "weak_weights": {"weight": 0.1},
        "correction_harms": {"alone": 0.95},
        "constant_environment": {"logged": {"r_var": 1e-6}},
        "rank_invariant": {"trial": {"rank_invariant": True}},
        "inert_mechanism": {"audit": {"verdict": "inert"}},
        "energy_mismatch": {"audit": {"energy_gap": 5.0}},
        "test_leak": {"trial": {"objective": "test/macro/aupr"}},
        "shortcut": {"promoter": 0.85},
        "dead_competition": {"idle": 1.0},
        "lazy_teacher": {"taught": (0.1, 0.2), "logged": {"student_var": 0.01, "teacher_var": 1.0}},
    },
}
"""Kind of an extension point -> key of a row -> what it needs beside its own choice to act. A design: what a YAML
gives it. A warning rule: what of a healthy unit (tests.analysis.rule_units) has to be otherwise for it to be raised."""
DECLARED: dict[str, Changes] = {
    "graph_map": {**GRAPH, "environment.graph.map": "attention"},
    "opportunist": HIDDEN,
    "dual_stream": {"decouple.pearson": 0.5},
}
"""The same of mechanisms that are no registry's choice."""


def rows() -> dict[str, list[str]]:
    """Kind of every extension point that there is -> keys of its rows."""
    found = {kind: table.keys() for kind, table in {**registries(), BASELINES.kind: BASELINES}.items()}
    return {**found, "design": [*designs()], "warning rule": [*RULES]}


def alone(mechanism: Mechanism) -> Changes:
    """Changes of a small configuration that switch the mechanism on, with hinges set so that they act."""
    changes = dict(HINGE)
    for setting in mechanism.when:
        if setting.value == POSITIVE and not setting.path.startswith("model."):
            changes[setting.path] = 0.5
        elif setting.value not in (POSITIVE, GIVEN):
            changes[setting.path] = setting.value
    beside: Mapping[str, Changes] = {**DECLARED, **SETTINGS.get(mechanism.kind, {})}
    return changes | beside.get(mechanism.key, {})


def switched_on(kind: str, key: str) -> Changes:
    """Changes that switch a row of a registry of mechanisms on."""
    name = registries()[kind].row(key).mechanism
    return alone(next(each for each in registered() if (each.kind, each.key) == (kind, name)))
