"""Random rows of what the later rules read beside the tables of every unit, around their limits."""

from collections.abc import Mapping
from typing import Any

import numpy as np

Row = dict[str, Any]
BASELINES: list[Row] = [
    {"baseline": name, "fold": "f", "split": "val_unseen", "cell_line": line, "n": n, "auc": auc}
    for name, auc in (("promoter_kmer_boosting", 0.62), ("promoter_kmer_logistic", 0.56), ("distance", 0.9))
    for line, n in (("K562", 300), ("HMEC", 100), ("pooled", 400))
]


def settings(rng: np.random.Generator) -> Row:
    """What a configuration says that the rules read."""
    return {
        "environment": {"source": str(rng.choice(["support", "none"], p=[0.8, 0.2]))},
        "predict": {"mode": str(rng.choice(["unified", "branch_select"]))},
        "decouple": {"pearson": float(rng.choice([0.1, 0.6]))},
        "loss": {
            "competition": {"weight": float(rng.choice([0.0, 0.5, 0.5, 0.5])), "warmup": 5},
            "distillation": {"weight": float(rng.choice([0.0, 0.5, 0.5, 0.5]))},
        },
        "episode": {"per_step": 4, "pseudo_unseen": 0.5},
    }


def facts(rng: np.random.Generator) -> Row:
    """Columns of `units`."""
    objective = str(rng.choice(["val_unseen/macro/aupr", "val_unseen/pooled/nll", "test/macro/aupr"]))
    return {"objective": objective, "rank_invariant": [None, False, True][int(rng.integers(0, 3))]}


def logged(rng: np.random.Generator, epoch: int) -> Row:
    """Columns of `epochs`."""
    return {
        "step": int(rng.choice([60, 400])) * epoch,
        "temperature": float(rng.choice([0.05, 1.0, 20.0, np.nan])),
        "u_var": 1.0,
        "r_var": float(rng.choice([1e-6, 0.5])),
        "student_var": float(rng.choice([0.01, 0.01, 0.5])),
        "teacher_var": float(rng.choice([1.0, 1.0, 1.0, np.nan])),
    }


def terms(rng: np.random.Generator, epoch: int) -> list[Row]:
    """Rows of `terms`."""
    return [
        {
            "epoch": epoch,
            "term": term,
            "weight_key": path,
            "weight": 0.5,
            "value": float(rng.choice([0.0, 0.2, 0.3])),
            "acting": float(rng.choice([0.5, 1.0])),
            "grad_norm": 0.1,
            "grad_share": float(rng.choice([0.0, 0.005, 0.3])),
        }
        for term, path in (("pearson", "decouple.pearson"), ("distillation", "loss.distillation.weight"))
    ]


def reports(rng: np.random.Generator, epoch: int) -> list[Row]:
    """Rows of `reports`."""
    return [
        {
            "epoch": epoch,
            "term": "competition",
            "name": name,
            "cell_line": line,
            "value": float(rng.choice([0.0, 0.0, 0.0, 0.0, 0.3])),
        }
        for name in ("acted", "pulled")
        for line in ("GM12878", "HeLa")
    ]


def audit(rng: np.random.Generator) -> list[Row]:
    """Rows of `audit`: two moments, whose verdicts may differ, and maybe the unit's end."""
    ended = {"moment": "last", "id": "-", "mechanism": "prediction", "verdict": "active"}
    return [ended] * int(rng.integers(0, 2)) + [
        {
            "id": number,
            "mechanism": mechanism,
            "verdict": str(rng.choice(["active", "inert"])),
            "energy_gap": float(rng.choice([np.nan, 0.5, 2.0])),
        }
        for _ in range(int(rng.integers(0, 3)))
        for number, mechanism in (("M12", "gated"), ("M40", "cell_batch"))
    ]


def of_unit(rows: list[Row], key: Mapping[str, Any]) -> list[Row]:
    """The rows with the unit's keys."""
    return [{**key, **row} for row in rows]
