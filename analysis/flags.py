"""Warnings of a whole run: the rules evaluated again from the store, per unit and grouped by rule."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.errors import UserError
from analysis.rules import RULES, judge
from analysis.schema import TABLES
from analysis.store import KEYS, Run

COLUMNS = TABLES["warnings"].names


@dataclass(frozen=True)
class Survey:
    """`findings`: rows of the table `warnings`; `unevaluated`: rule, missing input, units, of all units."""

    findings: pd.DataFrame
    unevaluated: pd.DataFrame


def survey(run: Run) -> Survey:
    """Evaluate every rule again on every unit, with the limits of the unit's own configuration.

    A warning that the trial raised for a rule that cannot be evaluated from the store is kept as written;
    `live` says that the trial raised it.
    """
    rows: list[dict[str, Any]] = []
    missing: Counter[tuple[str, str]] = Counter()
    written: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in run.table("warnings").to_dict("records"):
        written.setdefault(tuple(row[key] for key in KEYS), []).append({str(k): v for k, v in row.items()})
    for unit in run.units():
        key = tuple(unit.trial[column] for column in KEYS)
        limits = json.loads(unit.trial["config_json"] or "{}").get("limits", {})
        try:
            judged = judge(unit, limits)
        except UserError as error:
            run.problems.append(f"{key[0]}: {error}; the documented limits were used")
            judged = judge(unit)
        own = written.get(key, [])
        raised = {row["rule"] for row in own}
        identity = dict(zip(KEYS, key, strict=True))
        rows += [{**f.row(), **identity, "live": f.rule in raised} for f in judged.findings]
        missing.update(judged.missing.items())
        rows += [row for row in own if row["rule"] in judged.missing or row["rule"] not in RULES]
    counted = [(rule, what, count, len(run.table("trials"))) for (rule, what), count in missing.items()]
    return Survey(
        findings=pd.DataFrame(rows, columns=COLUMNS),
        unevaluated=pd.DataFrame(counted, columns=["rule", "missing", "units", "of"]),
    )


def counts_against_health(found: pd.DataFrame) -> pd.Series:
    """Findings that `--healthy` acts on: faults and documented limits, unless the data or sizes imply them."""
    return found["severity"].isin(["fault", "documented"]) & ~found["implied"].fillna(False).astype(bool)


def by_rule(found: pd.DataFrame) -> pd.DataFrame:
    """One row per rule: how many configurations and units, the worst value with its place, what to try."""
    rows = []
    for rule in [*RULES, *sorted(set(found["rule"]) - set(RULES))]:
        own = found[found["rule"] == rule]
        if own.empty:
            continue
        worst = own.loc[(own["value"] - own["limit"]).abs().idxmax()]
        rows.append(
            {
                **worst[["rule", "value", "limit", "severity", "cell_line", "source", "advice", "evidence"]],
                "config": worst["config"],
                "configs": own["config"].nunique(),
                "units": len(own.drop_duplicates(KEYS)),
                "implied": bool(own["implied"].fillna(False).astype(bool).all()),
                "epoch": own["epoch"].min(),
            }
        )
    return pd.DataFrame(rows)
