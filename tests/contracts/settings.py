"""The smallest settings that switch on whatever is registered: the one table that suites and sabotages build from."""

from analysis.rules import RULES
from harness.baselines.baseline import BASELINES
from harness.config.blocks.design import designs
from harness.mechanisms.alone import BESIDE, Changes, alone, by_themselves
from harness.mechanisms.registered import registered, registries

SETTINGS: dict[str, dict[str, Changes]] = {
    **BESIDE,
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


def rows() -> dict[str, list[str]]:
    """Kind of every extension point that there is -> keys of its rows."""
    found = {kind: table.keys() for kind, table in {**registries(), BASELINES.kind: BASELINES}.items()}
    return {**found, "design": [*designs()], "warning rule": [*RULES]}


def switched_on(kind: str, key: str) -> Changes:
    """Changes that switch a row of a registry of mechanisms on."""
    name = registries()[kind].row(key).mechanism
    return alone(next(each for each in registered() if (each.kind, each.key) == (kind, name)))
