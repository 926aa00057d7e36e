"""Units in memory as the rules see them: healthy but for what a test asks for."""

import json
from typing import Any

import pandas as pd

from analysis.rules import Finding, UnitRecords, evaluate

HEALTHY: dict[str, float] = {
    "n": 400, "positives": 200, "prevalence": 0.5, "aupr": 0.72, "auc": 0.80, "f1": 0.70, "f1_oracle": 0.72,
    "precision": 0.66, "recall": 0.75, "threshold": 0.45, "threshold_oracle": 0.44, "logit_sd": 1.2,
    "probability_sd": 0.2, "auc_design_effect": 1.0, "saturated": 0.1,
    "auc_null": 0.5,
}  # fmt: skip


def cells(*epochs: dict[str, Any], split: str = "val_unseen") -> pd.DataFrame:
    """One row per epoch for cell line K562 and for pooled and macro, healthy but for what is given."""
    rows = []
    for number, values in enumerate(epochs, start=1):
        for name in ("K562", "macro", "pooled"):
            rows.append(
                {**HEALTHY, "epoch": number, "selection": "epoch", "split": split, "cell_line": name}
                | {"score": "corrected", "prevalence_mode": "as_found", "protocol": "exact"}
                | values
            )
    return pd.DataFrame(rows)


def unit(
    *epochs: dict[str, Any],
    loss: tuple[float, ...] = (0.6, 0.5),
    train: tuple[float, ...] = (0.7, 0.75),
    parameters: int = 1000,
    labels: bool = False,
    silent: bool = False,
    logged: dict[str, Any] | None = None,
    trial: dict[str, Any] | None = None,
    pearson: dict[str, Any] | None = None,
    weight: float = 0.5,
    alone: float = 0.72,
    audit: dict[str, Any] | None = None,
    promoter: float = 0.6,
    idle: float | None = None,
    taught: tuple[float, ...] = (),
) -> UnitRecords:
    """Epochs with these rows of `cells`, losses, that are the task's too, and training AUPR.

    silent: with a loss term that never does anything; logged, trial, pearson, audit: columns of `epochs`, of `units`, of
    the term pearson, whose weight is `weight`, and of `audit`; alone: AUPR of U_I alone; promoter: AUC of the promoter-only
    baseline; idle: with a competition whose episodes are idle in this share; taught: with these values of the distillation.
    """
    numbers = range(1, len(loss) + 1)
    rows = pd.DataFrame({"epoch": numbers, "loss": loss, "train_aupr": train, "phase": 2})
    rows = rows.assign(
        step=[150 * each for each in numbers],
        **{"temperature": 1.0, "u_var": 1.0, "r_var": 0.5, **(logged or {})},
    )
    content: dict[str, Any] = {
        "support": {"size": 32, "labels": labels},
        "environment": {"source": "support"},
    }
    content |= {"decouple": {"pearson": weight}, "predict": {"mode": "unified"}, "loss": {}}
    content["episode"] = {"per_step": 4, "pseudo_unseen": 0.5}
    row = {"parameters": parameters, "train_pairs": 1000, "status": "done", "rank_invariant": False}
    row |= {"objective": "val_unseen/macro/aupr", **(trial or {})}
    hinge = pd.DataFrame({"epoch": numbers, "term": "hinge", "value": 0.0, "weight": 0.1, "grad_norm": 0.0})
    terms = pd.DataFrame({"epoch": numbers, "term": "task", "value": loss, "weight": 1.0, "weighted": 0.6})
    terms = terms.assign(grad_norm=0.1, grad_share=1.0, weight_key="loss.task")
    second = pd.DataFrame({"epoch": numbers, "term": "pearson", "value": 0.2, "weight": weight})
    second = second.assign(
        grad_norm=0.03, weight_key="decouple.pearson", **{"grad_share": 0.3, **(pearson or {})}
    )
    terms = pd.concat([terms, second, *([hinge] if silent else [])], ignore_index=True)
    reports: list[dict[str, Any]] = []
    if idle is not None:
        content["loss"]["competition"] = {"weight": 0.5, "warmup": 10}
        reports = [
            {"epoch": epoch, "term": "competition", "name": name, "cell_line": line, "value": value}
            for epoch in numbers
            for name, value in (("acted", 0.0), ("pulled", 1.0 - idle))
            for line in ("GM12878", "HeLa")
        ]
    if taught:
        content["loss"]["distillation"] = {"weight": 0.5}
        lesson = pd.DataFrame({"epoch": numbers, "term": "distillation", "value": taught, "grad_share": 0.2})
        lesson = lesson.assign(weight=0.5, weight_key="loss.distillation.weight", grad_norm=0.1)
        terms = pd.concat([terms, lesson], ignore_index=True)
    row |= {"config_json": json.dumps(content)}
    corrected = cells(*(epochs or ({}, {})))
    pooled = corrected[corrected["cell_line"] == "pooled"].assign(score="u_only", aupr=alone)
    return UnitRecords(
        row,
        rows,
        terms,
        pd.concat([corrected, pooled], ignore_index=True),
        reports=reports,
        audit=[
            {"moment": "first", "id": "M12", "mechanism": "gated", "verdict": "active", **(audit or {})},
            {"moment": "last", "id": "-", "mechanism": "prediction", "verdict": "active"},
        ],
        baselines=[{"baseline": "promoter_kmer_boosting", "cell_line": "K562", "n": 400, "auc": promoter}],
    )


def raised(records: UnitRecords, rule: str, **limits: float) -> list[Finding]:
    return [finding for finding in evaluate(records, limits) if finding.rule == rule]
