"""One row per unit: the numbers by which configurations are ranked and compared, under one selection rule."""

import json
from typing import Any

import pandas as pd

from analysis.criteria import CRITERIA, Criterion
from analysis.schema import SCORES
from analysis.store import KEYS, Run

REPORTED = ("done", "stopped", "pruned")
"""Statuses whose units are ranked; stopped and pruned ones are marked as censored."""


def replicates(run: Run, split: str = "val_unseen") -> pd.DataFrame:
    """Units (config, fold, seed) with the criteria of both scores on one split, at the reported epoch.

    Columns: config, fold, seed, status, selected_epoch, rank_invariant, the criteria (`aupr`,
    `pooled_aupr`, `nll`) of the reported score and, as `u_<criterion>`, of U_I alone. The reported score is
    `corrected` where it was written, else `u_only`. Weights are those of best_on_validation; a censored
    unit that has no such rows gives those of its best epoch by val_unseen macro AUPR, and none for test.
    Metrics are as found and exact; `documented` rows are used only where a unit has no others.
    """
    trials = run.table("trials")
    units = trials[trials["status"].isin(REPORTED)][[*KEYS, "status", "selected_epoch", "rank_invariant"]]
    rows = _reported_rows(run, units, split)
    for prefix, score in (("", "corrected"), ("u_", "u_only")):
        for metric in CRITERIA.values():
            values = _values(rows, metric, score)
            if prefix == "":
                values = values.combine_first(_values(rows, metric, SCORES[0]))
            units = units.merge(values.rename(prefix + metric.key).reset_index(), on=KEYS, how="left")
    return units.sort_values(KEYS).reset_index(drop=True)


def _reported_rows(run: Run, units: pd.DataFrame, split: str) -> pd.DataFrame:
    """The rows of `cells` on one split that describe each unit's reported weights."""
    cells = run.as_found()
    cells = cells[cells["split"] == split].merge(units[[*KEYS, "status"]], on=KEYS)
    exact = cells["protocol"] == "exact"
    has_exact = exact.groupby([cells[key] for key in KEYS]).transform("any")
    cells = cells[exact | ~has_exact]
    final = cells[cells["selection"] == "best_on_validation"]
    epochs = cells[(cells["selection"] == "epoch") & (cells["status"] != "done")]
    finished = final.set_index(KEYS).index
    epochs = epochs[~epochs.set_index(KEYS).index.isin(finished)]
    macro = epochs[epochs["cell_line"] == "macro"].dropna(subset=["aupr"])
    preferred = macro.sort_values(["score", "aupr"], ascending=[True, False]).drop_duplicates(KEYS)
    best = epochs.merge(preferred[[*KEYS, "epoch"]], on=[*KEYS, "epoch"])
    return pd.concat([final, best]) if len(best) else final


def _values(rows: pd.DataFrame, metric: Criterion, score: str) -> pd.Series:
    chosen = rows[(rows["cell_line"] == metric.cell_line) & (rows["score"] == score)]
    return chosen.drop_duplicates(KEYS).set_index(KEYS)[metric.column].astype(float)


def configuration_changes(run: Run) -> dict[str, dict[str, Any]]:
    """Configuration -> the paths that it changes in the base, with their values."""
    trials = run.table("trials").drop_duplicates("config")
    return {str(row["config"]): _parsed(row["changes_json"]) for row in trials.to_dict("records")}


def resolved_configurations(run: Run) -> dict[str, dict[str, Any]]:
    """Configuration -> its resolved content as dotted path -> value (lists are values)."""
    trials = run.table("trials").drop_duplicates("config")
    return {str(row["config"]): flatten(_parsed(row["config_json"])) for row in trials.to_dict("records")}


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
