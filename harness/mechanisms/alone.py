"""The smallest settings that switch on a mechanism alone, beside a preset without any."""

from collections.abc import Mapping
from typing import Any

from harness.mechanisms.mechanism import Mechanism
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


BESIDE: dict[str, dict[str, Changes]] = {
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
}
"""Kind of a registry -> key of a row -> what it needs beside its own choice to act."""
DECLARED: dict[str, Changes] = {
    "graph_map": {**GRAPH, "environment.graph.map": "attention"},
    "opportunist": HIDDEN,
    "dual_stream": {"decouple.pearson": 0.5, "environment.width": 4},
    "bottleneck": {"model.bottleneck": 4},
    "pseudo_unseen": TEACHER,
    "curriculum": {"curriculum.phase1_epochs": 1},
    "contrastive_relations": {
        "loss.contrastive.weight": 0.5,
        "loss.contrastive.relations": [{"a": "C1", "b": "C2", "weight": 0.5}],
    },
}
"""The same of mechanisms that are no registry's choice."""


def alone(mechanism: Mechanism) -> Changes:
    """Changes of a small configuration that switch the mechanism on, with hinges set so that they act."""
    changes = dict(HINGE)
    for setting in mechanism.when:
        if setting.value == POSITIVE and not setting.path.startswith("model."):
            changes[setting.path] = 0.5
        elif setting.value not in (POSITIVE, GIVEN):
            changes[setting.path] = setting.value
    beside: Mapping[str, Changes] = {**DECLARED, **BESIDE.get(mechanism.kind, {})}
    return changes | beside.get(mechanism.key, {})
