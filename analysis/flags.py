"""Warnings of a whole run: the rules evaluated again from the store, per unit and grouped by rule."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.duplicates import duplicate_findings
from analysis.errors import nearest
from analysis.reported import UNBEGUN, statuses
from analysis.rules import LIMITS, RULES, Judgement, Table, Units, judge
from analysis.schema import MACRO, POOLED, REPORTED_BY_OTHERS, TABLES
from analysis.store import KEYS, Run, units_of

COLUMNS = TABLES["warnings"].names
NO_EPOCH = "a finished epoch"
"""What a unit lacks that ended, or is, before the end of its first epoch; rules name each the table that they look into."""
OF_TRAINING = re.compile("table (epochs|cells|terms|reports)")
"""What is written as an epoch ends."""


@dataclass(frozen=True)
class Survey:
    """`findings`: rows of the table `warnings`; `unevaluated`: rule, missing input, units, of all units."""

    findings: pd.DataFrame
    unevaluated: pd.DataFrame


def survey(run: Run) -> Survey:
    """Judge every unit that has begun again by every rule that is loaded, with the limits of its own configuration.

    A warning that the trial raised is kept as written where its rule is not loaded, or cannot be evaluated from the
    store; `live` says that the trial raised it.
    """
    units = units_of_run(run)
    judgement = judge(units, _limits(run, units))
    unbegun = set(np.flatnonzero(statuses(run) == UNBEGUN).tolist())
    of_others = units.unit_rows.equals("selection", REPORTED_BY_OTHERS)
    early = set(np.flatnonzero(~units.having(units.epochs) & ~of_others).tolist())
    counted = [
        (rule, what, count, units.count - len(unbegun))
        for rule, missing in judgement.missing.items()
        for what, count in Counter(
            NO_EPOCH if unit in early and OF_TRAINING.search(what) else what
            for unit, what in missing.items()
            if unit not in unbegun
        ).items()
    ]
    begun = replace(judgement, findings=[each for each in judgement.findings if each[0] not in unbegun])
    findings = pd.DataFrame([*_rows(run, begun), *duplicate_findings(run, units)], columns=COLUMNS)
    return Survey(
        findings=findings.assign(implied=findings["implied"].fillna(False).astype(bool)),
        unevaluated=pd.DataFrame(counted, columns=["rule", "missing", "units", "of"]),
    )


def units_of_run(run: Run) -> Units:
    """All units of a run as the rules see them."""
    unit_rows = run.table("units")

    def table(frame: pd.DataFrame) -> Table:
        unit = units_of(frame, unit_rows)
        return Table(frame, unit).where(unit >= 0)

    def cells(split: str) -> Table:
        return judged.where(judged.equals("split", split) & (judged.unit >= 0))

    judged = Table(run.judged(), run.judged()["unit"].to_numpy())
    epochs, terms, mechanisms = map(table, (run.table("epochs"), run.table("terms"), run.acted()))
    beside = {name: table(run.table(name)) for name in ("reports", "audit")}
    baselines = _of_folds(run.table("baselines"), unit_rows)
    return Units(Table(unit_rows), epochs, terms, mechanisms, cells, baselines=baselines, **beside)


def _of_folds(baselines: pd.DataFrame, unit_rows: pd.DataFrame) -> Table:
    """Every unit's rows of `baselines` on its fold's unseen validation cell lines."""
    folds = pd.DataFrame({"fold": unit_rows["fold"], "unit": np.arange(len(unit_rows))})
    rows = baselines[baselines["split"] == "val_unseen"].merge(folds, on="fold")
    return Table(rows, rows["unit"].to_numpy(dtype=np.int64))


def _limits(run: Run, units: Units) -> dict[str, np.ndarray]:
    """The limits that any configuration changes, of every unit [units].

    A limit of a rule that is neither loaded nor among the recorded findings is noted as a problem of the run, unless
    the run was started with files that may have brought the rule.
    """
    limits: dict[str, np.ndarray] = {}
    unknown: dict[str, int] = {}
    for unit, changed in enumerate(units.settings("limits")):
        for name, value in (changed or {}).items():
            if name in LIMITS:
                limits.setdefault(name, np.full(units.count, LIMITS[name]))[unit] = value
            else:
                unknown.setdefault(name, unit)
    recorded = set(run.table("warnings")["rule"]) if unknown else set()
    for name, unit in unknown.items():
        if name.split(".")[0] not in recorded and not (run.path / "use").is_dir():
            config = run.table("units")["config"].iloc[unit]
            near = nearest(name, LIMITS)
            problem = f"{config}: limits: '{name}' is no limit of a warning rule{near}; it was not used"
            run.problems += [] if problem in run.problems else [problem]
    return limits


def _rows(run: Run, judgement: Judgement) -> list[dict[str, Any]]:
    """Findings as rows of the table `warnings`, unit by unit, and those of the trials that nothing replaces."""
    unit_rows, written = run.table("units"), run.table("warnings")
    raised: dict[tuple[int, str], list[int]] = {}
    for at, (unit, rule) in enumerate(
        zip(units_of(written, unit_rows).tolist(), written["rule"], strict=True)
    ):
        raised.setdefault((unit, rule), []).append(at)
    order = {rule: at for at, rule in enumerate(RULES)}
    keys = list(unit_rows[KEYS].itertuples(index=False, name=None))
    rows = [
        (
            unit,
            order[finding.rule],
            {
                **finding.row(),
                **dict(zip(KEYS, keys[unit], strict=True)),
                "live": (unit, finding.rule) in raised,
            },
        )
        for unit, finding in judgement.findings
    ]
    kept = [
        (unit, at)
        for (unit, rule), where in raised.items()
        if unit >= 0 and (rule not in RULES or judgement.unable(unit, rule))
        for at in where
    ]
    texts = written.iloc[[at for _, at in kept]].to_dict("records")
    rows += [
        (unit, len(RULES), {str(column): value for column, value in row.items()})
        for (unit, _), row in zip(kept, texts, strict=True)
    ]
    return [row for _, _, row in sorted(rows, key=lambda each: each[:2])]


def counts_against_health(findings: pd.DataFrame) -> pd.Series:
    """Faults and documented limits that neither data nor sizes imply: `--healthy` leaves their configurations out."""
    return findings["severity"].isin(["fault", "documented"]) & ~findings["implied"]


def unseen_lines(run: Run) -> int:
    """How many different unseen validation cell lines the run has measured."""
    rows = run.judged()
    lines = rows.loc[(rows["split"] == "val_unseen").to_numpy(), "cell_line"].astype(str)
    return len(set(lines) - {MACRO, POOLED})


def rules_in_order(findings: pd.DataFrame) -> list[str]:
    """The loaded rules in their order, then by name those that only findings have."""
    return [*RULES, *sorted(set(findings["rule"]) - set(RULES))]


def by_rule(findings: pd.DataFrame) -> pd.DataFrame:
    """One row per rule, loaded or not: how many configurations, units and cell lines, the worst value with its place,
    what to try.

    `lines`: cell lines in which it stands in any unit, 0 for a rule that does not look at them one by one.
    """
    rows = []
    for rule in rules_in_order(findings):
        raised = findings[findings["rule"] == rule]
        if raised.empty:
            continue
        # Of equal ones the first by name, in whatever order files were read.
        raised = raised.sort_values([*KEYS, "cell_line", "epoch"], kind="stable")
        worst = raised.loc[[(raised["value"] - raised["limit"]).abs().idxmax()]].iloc[0]
        rows.append(
            {
                **worst[
                    [
                        "rule",
                        "mark",
                        "value",
                        "limit",
                        "severity",
                        "cell_line",
                        "source",
                        "advice",
                        "evidence",
                    ]
                ],
                "config": worst["config"],
                "configs": raised["config"].nunique(),
                "units": len(raised.drop_duplicates(KEYS)),
                "lines": len(set(raised["cell_line"].dropna()) - {MACRO, POOLED}),
                "implied": bool(raised["implied"].all()),
                "epoch": raised["epoch"].min(),
            }
        )
    return pd.DataFrame(rows)
