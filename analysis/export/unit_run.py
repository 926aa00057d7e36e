"""A unit of the store as a tracked run."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from analysis.export.stored_unit import StoredUnit
from analysis.export.tracked import TrackedRun
from analysis.reported import REPORTED, flatten
from analysis.schema import KEYS, MACRO, TABLES
from analysis.stamps import STAMPS

METRICS = ("aupr", "auc", "f1", "precision", "recall", "nll", "brier", "ece")
"""Columns of `cells` that are metrics at a tracker."""
REPORTED_SCORE, ALONE = "corrected", "u_only"
FACTS = (
    "epochs",
    "selected_epoch",
    "objective_value",
    "parameters",
    "train_pairs",
    "wall_s",
    "train_prevalence",
)
"""Columns of `units` that are final metrics."""
_EPOCHS = tuple(name for name in TABLES["epochs"].names if name not in (*KEYS, "epoch"))
_TERMS = ("value", "weight", "weighted", "grad_norm", "grad_share", "in_force", "acting")
Row = Mapping[str, Any]


def tracked_unit(unit: StoredUnit, label: str) -> TrackedRun:
    """One run of a tracker for a unit.

    Per epoch: `epochs/<column>`, `terms/<term>/<column>`, `reports/<term>/<name>[/<cell line>]`, and
    `<split>/<cell line, macro or pooled>/<metric>` of the reported score, with `u_only/` before it of U_I alone. Final
    metrics are named alike with `final/` before them; they are of the weights best_on_validation, at the prevalence found,
    and of a unit that was ended before its final evaluation those of its best epoch by macro AUPR on val_unseen.
    """
    row = unit.row
    steps: dict[int, dict[str, float]] = {}
    for each in unit.rows("epochs"):
        steps.setdefault(each["epoch"], {}).update(_present(each, _EPOCHS, "epochs/"))
    for each in unit.rows("terms"):
        steps.setdefault(each["epoch"], {}).update(_present(each, _TERMS, f"terms/{each['term']}/"))
    for each in unit.rows("reports"):
        line = f"/{each['cell_line']}" if each["cell_line"] else ""
        steps.setdefault(each["epoch"], {}).update(
            _present({f"{each['name']}{line}": each["value"]}, None, f"reports/{each['term']}/")
        )
    cells = _one_protocol(unit.rows("cells"))
    per_epoch: dict[int, list[Row]] = {}
    for each in cells:
        if each["selection"] == "epoch":
            per_epoch.setdefault(each["epoch"], []).append(each)
    for epoch, rows in per_epoch.items():
        steps.setdefault(epoch, {}).update(_metrics(rows))
    final, reported = _reported(cells, per_epoch, row["status"])
    finals = {f"final/{name}": value for name, value in {**_present(row, FACTS), **_metrics(final)}.items()}
    fold = json.loads(row["fold_json"])["name"] if row["fold_json"] else row["fold"]
    rules = sorted({each["rule"] for each in unit.rows("warnings")})
    tags = {
        "kind": "unit",
        "config": row["config"],
        "label": label,
        "fold": row["fold"],
        "fold_name": fold,
        "seed": str(row["seed"]),
        "status": row["status"],
        "reported": reported,
        "warnings": ", ".join(rules),
        **{key: row[key] for key in ("reason", "stamp", "device", *STAMPS) if row[key]},
    }
    return TrackedRun(
        key=unit.name,
        name=f"{label} | {fold} | seed {row['seed']}",
        kind="unit",
        params=flatten(json.loads(row["config_json"] or "{}")),
        changed=json.loads(row["changes_json"] or "{}"),
        series=sorted(steps.items()),
        finals=finals,
        tags=tags,
        status=row["status"],
        started=row["started"],
        finished=row["finished"],
    )


def _present(row: Row, columns: Iterable[str] | None = None, prefix: str = "") -> dict[str, float]:
    """The numbers of a row that are there, by name."""
    names = row.keys() if columns is None else columns
    return {f"{prefix}{name}": float(row[name]) for name in names if row[name] is not None}


def _one_protocol(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Exact rows; documented ones only of a unit that has no others."""
    exact = [row for row in rows if row["protocol"] == "exact"]
    return exact or rows


def _metrics(rows: Iterable[Row]) -> dict[str, float]:
    """Metrics of one epoch's rows: those of the reported score, and of U_I alone under `u_only/`."""
    metrics: dict[str, float] = {}
    rows = list(rows)
    reported = REPORTED_SCORE if any(row["score"] == REPORTED_SCORE for row in rows) else ALONE
    for row in rows:
        place = f"{row['split']}/{row['cell_line']}/"
        if row["score"] == reported:
            metrics.update(_present(row, METRICS, place))
        if row["score"] == ALONE:
            metrics.update(_present(row, METRICS, f"u_only/{place}"))
    return metrics


def _reported(
    cells: list[dict[str, Any]], per_epoch: Mapping[int, list[Row]], status: str
) -> tuple[list[Any], str]:
    """The rows of the reported weights, and which weights those are, in words."""
    final = [row for row in cells if row["selection"] == "best_on_validation"]
    if final or status == "done" or status not in REPORTED:
        return final, "best_on_validation" if final else "nothing: it has no final evaluation"
    best: tuple[float, int] | None = None
    for epoch, rows in per_epoch.items():
        value = _metrics(rows).get(f"val_unseen/{MACRO}/aupr")
        if value is not None and (best is None or value > best[0]):
            best = (value, epoch)
    if best is None:
        return [], "nothing: it has no evaluation on val_unseen"
    return list(per_epoch[best[1]]), f"epoch {best[1]}, its best by macro AUPR on val_unseen"
