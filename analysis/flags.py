"""Warnings of a whole run: the rules evaluated again from the store, per unit and grouped by rule."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import UserError
from analysis.rules import LIMITS, RULES, Finding, check_limits, judge
from analysis.rules.columns import RunColumns
from analysis.rules.standing import findings, standing
from analysis.schema import MACRO, POOLED, TABLES
from analysis.store import KEYS, Run, units_of

COLUMNS = TABLES["warnings"].names


@dataclass(frozen=True)
class Survey:
    """`findings`: rows of the table `warnings`; `unevaluated`: rule, missing input, units, of all units."""

    findings: pd.DataFrame
    unevaluated: pd.DataFrame


def survey(run: Run) -> Survey:
    """Evaluate every rule again on every unit, with the limits of the unit's own configuration.

    A rule that can measures all units at once; what it cannot judge so, it judges unit by unit, with the same result.
    A warning that the trial raised for a rule that cannot be evaluated from the store is kept as written; `live` says
    that the trial raised it.
    """
    trials, order = run.table("trials"), {rule: at for at, rule in enumerate(RULES)}
    found: list[tuple[int, int, Finding]] = []
    alone: dict[int, list[str]] = {}
    missing: Counter[tuple[str, str]] = Counter()
    unable: set[tuple[int, str]] = set()
    limits = _limits(run, trials)
    columns = _columns(run, trials)
    for name, rule in RULES.items():
        judged = np.zeros(len(trials), dtype=bool)
        for in_force, units in limits:
            readings = rule.columns(columns)
            if readings is None:
                continue
            readings = readings.sorted(units & columns.plain)
            judged[readings.unit] = True
            far = rule.excess(readings.values, in_force)
            stands = list(standing(readings, far, lasting=rule.lasting, patience=rule.patience))
            standing_in = {one.unit for one in stands}
            lacking = rule.columns_lacking(readings)
            missing.update((name, what) for unit, what in lacking.items() if unit not in standing_in)
            if rule.screens:
                judged[list(standing_in)] = False
            else:
                here = findings(rule, readings, stands, in_force)
                found += [(unit, order[name], finding) for unit, finding in here]
        for unit in np.flatnonzero(~judged).tolist():
            alone.setdefault(unit, []).append(name)
    for (unit, rules), records in zip(alone.items(), run.units(alone), strict=True):
        own = next(in_force for in_force, units in limits if units[unit])
        by_itself = judge(records, own, rules=rules)
        found += [(unit, order[finding.rule], finding) for finding in by_itself.findings]
        missing.update(by_itself.missing.items())
        unable |= {(unit, rule) for rule in by_itself.missing if rule not in by_itself.partly}
    rows = _rows(run, trials, found, unable)
    counted = [(rule, what, count, len(trials)) for (rule, what), count in missing.items()]
    return Survey(
        findings=pd.DataFrame(rows, columns=COLUMNS),
        unevaluated=pd.DataFrame(counted, columns=["rule", "missing", "units", "of"]),
    )


def _columns(run: Run, trials: pd.DataFrame) -> RunColumns:
    epochs, terms = run.table("epochs"), run.table("terms")
    return RunColumns.of(
        trials,
        epochs.assign(unit=units_of(epochs, trials)),
        run.judged(),
        terms.assign(unit=units_of(terms, trials)),
    )


def _limits(run: Run, trials: pd.DataFrame) -> list[tuple[dict[str, float], np.ndarray]]:
    """Every set of limits in force, with the units [units] that it is in force for."""
    codes, texts = pd.factorize(trials["config_json"])
    groups: dict[str, tuple[dict[str, float], list[int]]] = {}
    for code, text in enumerate([*texts, None]):
        limits: dict[str, float] = json.loads(text or "{}").get("limits", {})
        try:
            check_limits(limits)
        except UserError as error:
            config = trials["config"].iloc[int(np.flatnonzero(codes == code)[0])]
            problem = f"{config}: {error}; the documented limits were used"
            run.problems += [] if problem in run.problems else [problem]
            limits = {}
        group = groups.setdefault(json.dumps(limits, sort_keys=True), ({**LIMITS, **limits}, []))
        group[1].append(code if text is not None else -1)
    return [(in_force, np.isin(codes, members)) for in_force, members in groups.values()]


def _rows(
    run: Run, trials: pd.DataFrame, found: list[tuple[int, int, Finding]], unable: set[tuple[int, str]]
) -> list[dict[str, Any]]:
    """Findings as rows of the table `warnings`, unit by unit, and those of the trials that nothing replaces."""
    written = run.table("warnings")
    raised: dict[tuple[int, str], list[int]] = {}
    for at, (unit, rule) in enumerate(zip(units_of(written, trials).tolist(), written["rule"], strict=True)):
        raised.setdefault((unit, rule), []).append(at)
    keys = list(trials[KEYS].itertuples(index=False, name=None))
    rows = [
        (unit, at, {**f.row(), **dict(zip(KEYS, keys[unit], strict=True)), "live": (unit, f.rule) in raised})
        for unit, at, f in found
    ]
    kept = [
        (unit, len(RULES), at)
        for (unit, rule), where in raised.items()
        if unit >= 0 and (rule not in RULES or (unit, rule) in unable)
        for at in where
    ]
    texts = written.iloc[[at for _, _, at in kept]].to_dict("records")
    rows += [
        (unit, last, {str(k): v for k, v in row.items()})
        for (unit, last, _), row in zip(kept, texts, strict=True)
    ]
    return [row for _, _, row in sorted(rows, key=lambda each: each[:2])]


def counts_against_health(found: pd.DataFrame) -> pd.Series:
    """Findings that `--healthy` acts on: faults and documented limits, unless the data or sizes imply them."""
    return found["severity"].isin(["fault", "documented"]) & ~found["implied"].fillna(False).astype(bool)


def unseen_lines(run: Run) -> int:
    """How many different unseen validation cell lines the run has measured."""
    rows = run.judged()
    lines = rows.loc[(rows["split"] == "val_unseen").to_numpy(), "cell_line"].astype(str)
    return len(set(lines) - {MACRO, POOLED})


def by_rule(found: pd.DataFrame) -> pd.DataFrame:
    """One row per rule: how many configurations, units and cell lines, the worst value with its place, what to try.

    `lines`: cell lines in which it stands in any unit, 0 for a rule that does not look at them one by one.
    """
    rows = []
    for rule in [*RULES, *sorted(set(found["rule"]) - set(RULES))]:
        own = found[found["rule"] == rule]
        if own.empty:
            continue
        # Of equal ones the first by name, in whatever order files were read.
        own = own.sort_values([*KEYS, "cell_line", "epoch"], kind="stable")
        worst = own.loc[(own["value"] - own["limit"]).abs().idxmax()]
        rows.append(
            {
                **worst[["rule", "value", "limit", "severity", "cell_line", "source", "advice", "evidence"]],
                "config": worst["config"],
                "configs": own["config"].nunique(),
                "units": len(own.drop_duplicates(KEYS)),
                "lines": len(set(own["cell_line"].dropna()) - {MACRO, POOLED}),
                "implied": bool(own["implied"].fillna(False).astype(bool).all()),
                "epoch": own["epoch"].min(),
            }
        )
    return pd.DataFrame(rows)
