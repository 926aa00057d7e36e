"""One row per unit: the numbers by which configurations are ranked and compared, under one selection rule."""

import json
from typing import Any

import numpy as np
import pandas as pd

from analysis.criteria import CRITERIA, Criterion
from analysis.schema import LEAKING, SCORES
from analysis.stamps import refuse_mixture
from analysis.store import KEYS, Run

REPORTED = ("done", "stopped", "pruned")
"""Statuses whose units are ranked; stopped and pruned ones are marked as censored."""
AUDIT_STOP = "audit: "
"""How the reason of a unit that the audit stopped begins: it is not ranked, since it did not run what it says."""
STOPPED_BY_AUDIT = "stopped by the audit"
"""What stands for the status of such a unit wherever units are counted."""
UNBEGUN = "pruned before it began"
"""What stands for the status of a unit whose configuration was pruned on another fold."""


def counted_as(status: str, reason: str | None, epochs: int | None) -> str:
    """What a unit counts as, of its row of `units`: its status, STOPPED_BY_AUDIT or UNBEGUN. It has a result where that
    is in REPORTED and its reported weights were evaluated."""
    if status == "stopped" and (reason or "").startswith(AUDIT_STOP):
        return STOPPED_BY_AUDIT
    return UNBEGUN if status == "pruned" and not epochs else status


def statuses(run: Run) -> pd.Series:
    """What every row of `units` counts as at this moment."""
    units = run.table("units").reset_index(drop=True)
    counted = units["status"].map(run.state).astype(object)
    ended = units[counted.isin(["stopped", "pruned"])]
    rows = zip(counted[ended.index], ended["reason"].fillna(""), ended["epochs"].fillna(0), strict=True)
    counted[ended.index] = [counted_as(*row) for row in rows]
    return counted


def stopped_by_audit(run: Run) -> pd.DataFrame:
    """Units (config, fold, seed) that the audit stopped, each with its reason."""
    units = run.table("units").reset_index(drop=True)
    return units.loc[statuses(run) == STOPPED_BY_AUDIT, [*KEYS, "reason"]].reset_index(drop=True)


def reported_units(run: Run, split: str = "val_unseen") -> pd.DataFrame:
    """Units (config, fold, seed) with the criteria of both scores on one split, at the reported epoch.

    Columns: config, fold, seed, status, selected_epoch, rank_invariant, the criteria (`aupr`,
    `pooled_aupr`, `nll`) of the reported score and, as `u_<criterion>`, of U_I alone; leaked_aupr, of branches chosen by
    test AUPR (NaN elsewhere), which nothing is ranked by. The reported score is
    `corrected` where it was written, else `u_only`. Weights are those of best_on_validation; a censored
    unit that has no such rows gives those of its best epoch by val_unseen macro AUPR, and none for test. What the audit
    stopped is not reported.
    Metrics are at the prevalence of the data and exact; `documented` rows are used only where a unit has no others.

    Raises UserError when units of several stamps stand in the run, and nobody asked for that.
    """
    refuse_mixture(run)
    unit_rows = run.table("units").reset_index(drop=True)
    reported = statuses(run).isin(REPORTED)
    units = unit_rows.loc[reported, [*KEYS, "status", "selected_epoch", "rank_invariant"]].copy()
    rows = _reported_rows(run, unit_rows["status"].where(reported), split)
    for prefix, score in (("", "corrected"), ("u_", "u_only")):
        for metric in CRITERIA.values():
            values = _values(rows, metric, score)
            if prefix == "":
                values = values.combine_first(_values(rows, metric, SCORES[0]))
            units[prefix + metric.key] = values.reindex(units.index)
    units["leaked_aupr"] = _values(rows, CRITERIA["aupr"], LEAKING).reindex(units.index)
    return units.sort_values(KEYS).reset_index(drop=True)


def _reported_rows(run: Run, status: pd.Series, split: str) -> pd.DataFrame:
    """The rows of `cells` on one split, macro and pooled, that describe each unit's reported weights.

    `status` [units]: of the units that are reported, null for the others.
    """
    cells = run.judged()
    cells = cells[(cells["split"] == split).to_numpy() & (cells["unit"] >= 0).to_numpy()]
    unit = cells["unit"].to_numpy()
    exact = (cells["protocol"] == "exact").to_numpy()
    has_exact = _units_with(exact, unit, len(status))
    known = status.notna().to_numpy()[unit]
    wanted = known & (exact | ~has_exact[unit]) & cells["cell_line"].isin(["macro", "pooled"]).to_numpy()
    final = wanted & (cells["selection"] == "best_on_validation").to_numpy()
    open_end = (status != "done").to_numpy() & ~_units_with(final, unit, len(status))
    epochs = cells[wanted & ~final & open_end[unit]]
    macro = epochs[epochs["cell_line"] == "macro"].dropna(subset=["aupr"])
    preferred = macro.assign(score=macro["score"].astype(str)).sort_values(
        ["score", "aupr"], ascending=[True, False], kind="stable"
    )
    best = epochs.merge(preferred.drop_duplicates("unit")[["unit", "epoch"]], on=["unit", "epoch"])
    return pd.concat([cells[final], best]) if len(best) else cells[final]


def _units_with(rows: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
    """Which units have one of the marked rows [units]."""
    which = np.zeros(units, dtype=bool)
    which[unit[rows]] = True
    return which


def _values(rows: pd.DataFrame, metric: Criterion, score: str) -> pd.Series:
    chosen = rows[(rows["cell_line"] == metric.cell_line) & (rows["score"] == score)]
    return chosen.drop_duplicates("unit").set_index("unit")[metric.column].astype(float)


def configuration_changes(run: Run) -> dict[str, dict[str, Any]]:
    """Configuration -> the paths that it changes in the base, with their values."""
    unit_rows = run.table("units").drop_duplicates("config")
    return {str(row["config"]): _parsed(row["changes_json"]) for row in unit_rows.to_dict("records")}


def resolved_configurations(run: Run) -> dict[str, dict[str, Any]]:
    """Configuration -> its resolved content as dotted path -> value (lists are values)."""
    unit_rows = run.table("units").drop_duplicates("config")
    return {str(row["config"]): flatten(_parsed(row["config_json"])) for row in unit_rows.to_dict("records")}


def _parsed(text: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(text) if isinstance(text, str) and text else {}
    return parsed


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted path -> value."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        flat |= flatten(value, path + ".") if isinstance(value, dict) else {path: value}
    return flat
