"""The ranking of a run's configurations, beside its baselines, with what the interval can and cannot say."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.arms import arm_labels
from analysis.asked import asked_by
from analysis.balance import common_to_seeds, mixed
from analysis.completeness import NO_ROWS, Completeness, completeness, imported
from analysis.counts import RunCounts, counts
from analysis.criteria import CRITERIA, Criterion
from analysis.errors import UserError
from analysis.flags import counts_against_health, survey
from analysis.folds import corrected_interval, evaluated_share
from analysis.intervals import t_interval
from analysis.labels import short_ids
from analysis.measured_on import Lines, MeasuredLines
from analysis.paired import probability_of_improvement
from analysis.paths import driven, in_doubt, tried
from analysis.reported import configuration_changes, reported_units, statuses, stopped_by_audit
from analysis.schema import MACRO, POOLED
from analysis.stamps import Mixture, mixture
from analysis.store import KEYS, Run

FEWER = "fewer seeds than others: ranked after them"
"""Of an imported name: nobody planned its seeds, and one may be a lucky one."""
ROPE = 0.005


@dataclass(frozen=True)
class Ranking:
    """Configurations in order of the criterion on val_unseen; every number is about unseen validation cell
    lines.

    `configurations` has one row per configuration: rank, config, short (the beginning of its identity that commands
    take), label, tie (best, equal, unknown, worse, better, apart), seeds, folds, units (finished), planned, complete,
    lacking (what became of the other units), diverged (whether one did), behind (0; 1: ranked after those that are
    complete; 2: compared to none, and last), common_folds (what the value is a mean over where its seeds differ in folds),
    other_lines (on which cell lines it was
    measured, where others were on other ones: ranked after them, and compared to none), censored, value with low and high
    (t over seeds) and fold_low and fold_high (corrected t over folds, NaN for one), aupr, pooled_aupr, nll, u_aupr,
    rank_invariant, p_better (P(A > best)), difference (gain over the best, paired by seed) with its low and high,
    test_aupr (reporting only), leaked_test_aupr (of predict.mode branch_select; NaN elsewhere) and flags (rule ids).
    """

    run: Run
    by: Criterion
    rope: float
    configurations: pd.DataFrame
    baselines: pd.DataFrame
    findings: pd.DataFrame
    unevaluated: pd.DataFrame
    left_out: dict[str, int]
    unhealthy: int
    regret: float
    changes: Mapping[str, Mapping[str, Any]]
    accused: pd.DataFrame
    """Units that the audit stopped: config, label, fold, seed and reason; they count for nothing above."""
    counts: RunCounts
    """Configurations and units of the whole run, ranked or not."""
    mixture: Mixture | None = None
    """Units of older code that stand beside newer ones, because a person asked for it."""
    one_line: bool = False
    """Whether each fold has one unseen cell line: pooled AUPR is then within it, where an R_E per line changes no order."""


def rank(run: Run, by: str | None = None, *, healthy: bool = False, rope: float = ROPE) -> Ranking:
    """Rank by the mean over seeds of each seed's mean over folds of the criterion on val_unseen; `by` defaults to what the
    run was asked for (its objective).

    A seed is the unit of replication. A configuration is tied with the best when the t-interval of their
    paired differences over seeds lies within [-rope, rope] (equal) or leaves both signs open (unknown).
    Configurations with finished units for only a part of the plan stand after the complete ones; while none is
    complete, after those with the most finished units. `healthy` leaves out configurations with a fault or a
    documented finding that neither data nor sizes imply. Selection regret is the test macro AUPR of the
    configuration best on test, among those that could have been ranked first, minus that of the one that was.

    Raises UserError when no trial has finished, when `by` is unknown, when none is healthy, or for a confirmation that is
    under way.
    """
    metric = asked_by(run, by)
    if not metric.possible(rope, rope):
        raise UserError(
            f"--rope {rope:g}: expected a difference of {metric.label}, which lies in {metric.span}"
        )
    units = reported_units(run)
    known = [each for each in CRITERIA.values() if units[each.key].notna().any()]
    units = units[units[metric.key].notna()]
    if units.empty and known:
        has = " and ".join(each.label for each in known)
        raise UserError(f"{run.path}: no unit has {metric.label} on val_unseen; what they have is {has}")
    if units.empty:
        raise UserError(_nothing_finished(run))
    tested = reported_units(run, "test").rename(
        columns={"aupr": "test_aupr", "leaked_aupr": "leaked_test_aupr"}
    )
    units = units.merge(tested[[*KEYS, "test_aupr", "leaked_test_aupr"]], on=KEYS, how="left")
    states = completeness(run, set(zip(*(units[key].tolist() for key in KEYS), strict=True)))
    surveyed = survey(run)
    findings = surveyed.findings
    changes = configuration_changes(run)
    share = evaluated_share(run) if len(set(units["fold"])) > 1 else float("nan")
    table = _rows(units, metric, states, run.fold_labels(), share)
    plain = findings[~findings["implied"]]
    raised = {str(config): list(rules.unique()) for config, rules in plain.groupby("config")["rule"]}
    table["flags"] = [raised.get(config, []) for config in table["config"]]
    against = findings[counts_against_health(findings)]
    flagged = set(against["config"])
    unhealthy = int(table["config"].isin(flagged).sum())
    if healthy:
        table = table[~table["config"].isin(flagged)]
        if table.empty:
            rules = ", ".join(dict.fromkeys(against["rule"]))
            raise UserError(
                f"{run.path}: --healthy leaves no configuration, "
                f"each of the {unhealthy} raised at least one of {rules}"
            )
    # One seed by itself may be a lucky one: it must not be what all others are compared to.
    fewer = table["units"] < table["units"].max()
    planned = table["complete"].any() and not imported(run.plan())
    table["behind"] = ~table["complete"] if planned else fewer
    measured, whole = MeasuredLines(run), table[~table["behind"]]
    usual = measured.usual((table if whole.empty else whole)["config"].tolist())
    apart = measured.apart(usual)
    if metric.cell_line == MACRO:
        strangers = {config: measured.unknown(config) for config in table["config"]}
        apart |= {
            config: f"{why}; no mean over cell lines: compared to none"
            for config, why in strangers.items()
            if why
        }
    table["other_lines"] = table["config"].map(lambda config: apart.get(config) or measured.unknown(config))
    if imported(run.plan()):
        table.loc[fewer & (table["other_lines"] == ""), "other_lines"] = FEWER
    table["behind"] = np.where(table["config"].isin(list(apart)), 2, table["behind"].astype(int))
    table["rank_invariant"] &= metric.key == "aupr" or (metric.key == "pooled_aupr" and measured.alone)
    oracle = table.loc[table["behind"] == 0, "test_aupr"].max()
    # np.lexsort sorts by its last key first, and stably.
    order = np.lexsort((-table["value"] if metric.higher_is_better else table["value"], table["behind"]))
    table = table.iloc[order].reset_index(drop=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    table["short"] = table["config"].map(short_ids(changes))
    table["label"] = table["config"].map(arm_labels(run, changes, table["config"]))
    table = table.merge(_against_best(units, metric, table["config"], rope, apart), on="config")
    counted = counts(run)
    return Ranking(
        run=run,
        by=metric,
        rope=rope,
        configurations=table,
        baselines=_on_lines(baselines_of(run, metric), run, usual),
        findings=findings[findings["config"].isin(table["config"])],
        unevaluated=surveyed.unevaluated,
        left_out=counted.left_out | ({NO_ROWS: gone} if (gone := counted.finished - len(units)) else {}),
        unhealthy=unhealthy,
        regret=float(oracle - table["test_aupr"].iloc[0]),
        changes=changes,
        accused=_accused(run, changes),
        counts=counted,
        mixture=mixture(run),
        one_line=measured.alone,
    )


def _accused(run: Run, changes: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    units = stopped_by_audit(run)
    if units.empty:
        return units.assign(label=[])
    named = arm_labels(run, changes, units["config"].unique())
    return units.assign(label=units["config"].map(named))


def _nothing_finished(run: Run) -> str:
    unit_rows = run.table("units")
    if driven(run.path):
        then = "; a sweep is running in it, wait for its first trial to end"
    elif tried(run.path):
        then = "; a trial is running in it, wait for it to end"
    elif doubt := in_doubt(run.path):
        then = f"; {doubt}"
    else:
        then = "; nothing is running in it: start its sweep or trial again (a sweep with --resume)"
    if unit_rows.empty:
        return f"{run.path}: no finished units, {run.without_units()}{then}"
    counts = ", ".join(f"{n} {status}" for status, n in statuses(run).value_counts().items())
    reasons = [str(reason) for reason in unit_rows["reason"].dropna() if str(reason).strip()]
    why = f"; the first reason given is: {reasons[0]}" if reasons else ""
    unread = f"; not read: {run.problems[0]}" if run.problems else ""
    to_come = then if {"running", "interrupted"} & set(statuses(run)) else ""
    return f"{run.path}: no finished units with val_unseen rows to rank ({counts}){why}{unread}{to_come}"


def _rows(
    units: pd.DataFrame,
    metric: Criterion,
    states: Mapping[str, Completeness],
    folds_named: Mapping[str, str],
    share: float,
) -> pd.DataFrame:
    """The columns of `Ranking.configurations` that a configuration has by itself, in order of its identity; `share` of
    evaluated cell lines over training ones."""
    columns = [*CRITERIA, *(f"u_{key}" for key in CRITERIA), "test_aupr", "leaked_test_aupr"]
    used = units[common_to_seeds(units, ["fold"], ["config"])]
    differing = set(units["config"][mixed(units, ["fold"], ["config"])])
    fewer = set(units["config"]) & set(units["config"][~units.index.isin(used.index)])
    over_seeds = used.groupby(["config", "seed"])[columns].mean()
    over_folds = used.groupby(["config", "fold"])[metric.key].mean()
    means = over_seeds.groupby("config").mean()
    seeds, folds = _by_config(over_seeds[metric.key]), _by_config(over_folds)
    names = {
        str(c): sorted(part.unique())
        for c, part in used[used["config"].isin(fewer)].groupby("config")["fold"]
    }
    whole = units.groupby("config")
    invariant = units["rank_invariant"].fillna(False).astype(bool).groupby(units["config"]).all()
    censored = (units["status"] != "done").groupby(units["config"]).sum()
    rows = []
    for config, size in whole.size().items():
        name, state = str(config), states[str(config)]
        interval, between = t_interval(seeds[name]), corrected_interval(folds[name], share)
        common = "seeds differ in folds" if name in differing else ""
        if name in names:
            named = ", ".join(folds_named.get(fold, fold) for fold in names[name])
            common = f"mean over {named}, which all its seeds have"
        rows.append(
            {
                "config": name,
                "seeds": len(seeds[name]),
                "folds": len(folds[name]),
                "units": int(size),
                "planned": state.planned,
                "complete": state.complete,
                "lacking": state.describe(),
                "diverged": state.diverged,
                "common_folds": common,
                "censored": int(censored[name]),
                "value": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "fold_low": between.low,
                "fold_high": between.high,
                "rank_invariant": bool(invariant[name]),
            }
        )
    return pd.DataFrame(rows).join(means, on="config")


def _against_best(
    units: pd.DataFrame, metric: Criterion, configs: pd.Series, rope: float, apart: Container[str]
) -> pd.DataFrame:
    """Gain of each configuration over the first one, paired by fold and seed, and the mark that follows; a pair with a
    unit that was ended early is left out, since its missing epochs are not random. None of those `apart`, which were
    measured on other cell lines."""
    best, nan = str(configs.iloc[0]), float("nan")
    whole = units[units["status"] == "done"]
    top = whole.loc[whole["config"] == best, ["fold", "seed", metric.key]]
    pairs = whole.merge(top, on=["fold", "seed"], suffixes=("", "_best"))
    pairs["gain"] = (pairs[metric.key] - pairs[f"{metric.key}_best"]).map(metric.gain)
    pairs = pairs[common_to_seeds(pairs, ["fold"], ["config"])]
    gains = pairs.groupby(["config", "seed"])["gain"].mean()
    paired = _by_config(gains)
    values: dict[str, dict[str, list[float]]] = {}
    for config, fold, value in zip(units["config"], units["fold"], units[metric.key], strict=True):
        values.setdefault(config, {}).setdefault(fold, []).append(metric.gain(value))
    rows: list[dict[str, Any]] = []
    for config in configs:
        gain = t_interval([] if config in apart else paired.get(config, []))
        row = {"config": config, "tie": gain.verdict(rope), "difference": gain.mean}
        row |= {"difference_low": gain.low, "difference_high": gain.high}
        row |= {"p_better": nan if config in apart else _p_better(values[config], values[best])}
        if config in apart:
            row |= {"tie": "apart"}
        if config == best:
            row |= {"tie": "best", "difference": 0.0}
            row |= {"difference_low": nan, "difference_high": nan, "p_better": nan}
        rows.append(row)
    return pd.DataFrame(rows)


def _by_config(values: pd.Series) -> dict[str, np.ndarray]:
    """The values of every configuration, of a series in order of an index that begins with `config`."""
    names = values.index.get_level_values("config").to_numpy(dtype=object)
    cuts = np.flatnonzero(names[1:] != names[:-1]) + 1
    first = names[np.concatenate([[0], cuts])] if len(names) else []
    return {str(name): part for name, part in zip(first, np.split(values.to_numpy(), cuts), strict=False)}


def _p_better(values: Mapping[str, list[float]], top: Mapping[str, list[float]]) -> float:
    """P(A > best) per fold over all pairs of seeds, averaged over the folds that both have."""
    each = [probability_of_improvement(values[fold], top[fold]) for fold in values if fold in top]
    return float(np.mean(each)) if each else float("nan")


def _on_lines(baselines: pd.DataFrame, run: Run, usual: Mapping[str, Lines]) -> pd.DataFrame:
    """The baselines, those without their numbers that were computed on other cell lines than the compared configurations
    were measured on."""
    rows = run.table("baselines")
    if baselines.empty or not any(usual.values()):
        return baselines
    rows = rows[
        (rows["split"] == "val_unseen") & ~rows["cell_line"].isin([MACRO, POOLED]) & rows["aupr"].notna()
    ]
    strange = set()
    for (name, fold), part in rows.groupby(["baseline", "fold"])["cell_line"]:
        if str(fold) in usual and frozenset(map(str, part)) != usual[str(fold)]:
            strange.add(str(name))
    told = baselines.copy()
    there = told["baseline"].isin(strange)
    told.loc[there, [*CRITERIA, "test_aupr"]] = float("nan")
    told.loc[there, "baseline"] += " (of other cell lines)"
    return told


def baselines_of(run: Run, metric: Criterion) -> pd.DataFrame:
    """The run's own baselines on the same folds, best first: mean over folds of val_unseen, and of test."""
    rows = run.table("baselines")
    if rows.empty:
        return pd.DataFrame(columns=["baseline", *CRITERIA, "test_aupr", "folds"])
    collected = []
    for name, part in rows.groupby("baseline"):
        entry: dict[str, Any] = {"baseline": name, "folds": part["fold"].nunique()}
        for key, each in CRITERIA.items():
            chosen = part[(part["split"] == "val_unseen") & (part["cell_line"] == each.cell_line)]
            entry[key] = float(chosen[each.column].mean())
        tested = part[(part["split"] == "test") & (part["cell_line"] == "macro")]
        collected.append({**entry, "test_aupr": float(tested["aupr"].mean())})
    table = pd.DataFrame(collected)
    return table.sort_values(metric.key, ascending=not metric.higher_is_better).reset_index(drop=True)
