"""Units in memory as the rules see them: healthy but for what a test asks for."""

import json
from typing import Any

import pandas as pd

from analysis.rules import Finding, UnitRecords, evaluate

HEALTHY: dict[str, float] = {
    "n": 400, "positives": 200, "prevalence": 0.5, "aupr": 0.72, "auc": 0.80, "f1": 0.70, "f1_oracle": 0.72,
    "precision": 0.66, "recall": 0.75, "threshold": 0.45, "threshold_oracle": 0.44, "logit_sd": 1.2,
    "probability_sd": 0.2, "auc_design_effect": 1.0,
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
) -> UnitRecords:
    """Epochs with these rows of `cells`, losses and training AUPR; silent: with a loss term that never does anything."""
    numbers = range(1, len(loss) + 1)
    logged = pd.DataFrame({"epoch": numbers, "loss": loss, "train_aupr": train, "phase": 2})
    trial = {"parameters": parameters, "train_pairs": 1000, "status": "done"}
    trial |= {"config_json": json.dumps({"support": {"size": 32, "labels": labels}})}
    hinge = pd.DataFrame({"epoch": numbers, "term": "hinge", "value": 0.0, "weight": 0.1, "grad_norm": 0.0})
    terms = pd.DataFrame({"epoch": numbers, "term": "task", "value": 0.6, "weight": 1.0, "weighted": 0.6})
    terms = terms.assign(grad_norm=0.1)
    terms = pd.concat([terms, hinge], ignore_index=True) if silent else terms
    return UnitRecords(trial, logged, terms, cells(*(epochs or ({}, {}))))


def raised(records: UnitRecords, rule: str, **limits: float) -> list[Finding]:
    return [finding for finding in evaluate(records, limits) if finding.rule == rule]
