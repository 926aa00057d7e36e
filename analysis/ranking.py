"""The ranking of a run's configurations, beside its baselines, with what the interval can and cannot say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.criteria import CRITERIA, Criterion, criterion
from analysis.errors import UserError
from analysis.flags import counts_against_health, survey
from analysis.intervals import Interval, t_interval
from analysis.labels import labels
from analysis.paired import probability_of_improvement
from analysis.replicates import configuration_changes, replicates
from analysis.store import Run

ROPE = 0.005


@dataclass(frozen=True)
class Ranking:
    """Configurations in order of the criterion on val_unseen; every number is about unseen validation cell
    lines.

    `configurations` has one row per configuration: rank, config, label, tie (best, equal, unknown, worse),
    seeds, folds, units, planned, censored, value with low and high (t over seeds) and fold_low and
    fold_high (t over folds, NaN for one fold), aupr, pooled_aupr, nll, u_aupr, rank_invariant, p_better
    (P(A > best)), difference (gain over the best, paired by seed) with its low and high, test_aupr
    (reporting only) and flags (rule ids).
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


def rank(run: Run, by: str = "aupr", *, healthy: bool = False, rope: float = ROPE) -> Ranking:
    """Rank by the mean over seeds of each seed's mean over folds of the criterion on val_unseen.

    A seed is the unit of replication. A configuration is tied with the best when the t-interval of their
    paired differences over seeds lies within [-rope, rope] (equal) or leaves both signs open (unknown).
    `healthy` leaves out configurations with a fault or a documented finding that neither data nor sizes
    imply. Selection regret is the test macro AUPR of the configuration best on test minus that of the one
    ranked first.

    Raises UserError when no trial has finished, when `by` is unknown, or when none is healthy.
    """
    metric = criterion(by)
    units = replicates(run)
    units = units[units[metric.key].notna()]
    if units.empty:
        raise UserError(_nothing_finished(run))
    test = replicates(run, "test")
    surveyed = survey(run)
    found = surveyed.findings
    changes = configuration_changes(run)
    rows = [_row(str(config), own, metric, test, found) for config, own in units.groupby("config")]
    table = pd.DataFrame(rows)
    oracle = table["test_aupr"].max()
    flagged = set(found[counts_against_health(found)]["config"])
    unhealthy = int(table["config"].isin(flagged).sum())
    if healthy:
        table = table[~table["config"].isin(flagged)]
        if table.empty:
            rules = ", ".join(dict.fromkeys(found[counts_against_health(found)]["rule"]))
            raise UserError(
                f"{run.path}: --healthy leaves no configuration, "
                f"each of the {unhealthy} raised at least one of {rules}"
            )
    table = table.sort_values("value", ascending=not metric.higher_is_better, kind="stable")
    table = table.reset_index(drop=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    table["label"] = table["config"].map(labels({c: changes[c] for c in table["config"]}))
    compared = [_against_best(units, metric, config, table, rope) for config in table["config"]]
    table = table.join(pd.DataFrame(compared))
    statuses = run.table("trials")["status"].value_counts().to_dict()
    return Ranking(
        run=run,
        by=metric,
        rope=rope,
        configurations=table,
        baselines=_baselines(run, metric),
        findings=found[found["config"].isin(table["config"])],
        unevaluated=surveyed.unevaluated,
        left_out={str(k): int(v) for k, v in statuses.items() if k not in ("done", "stopped", "pruned")},
        unhealthy=unhealthy,
        regret=float(oracle - table["test_aupr"].iloc[0]),
        changes=changes,
    )


def _nothing_finished(run: Run) -> str:
    trials = run.table("trials")
    if trials.empty:
        return f"{run.path}: no finished trials, the table trials is empty; wait for the sweep or --resume it"
    counts = ", ".join(f"{n} {status}" for status, n in trials["status"].value_counts().items())
    reasons = trials["reason"].dropna()
    why = f"; the first reason given is: {reasons.iloc[0]}" if len(reasons) else ""
    return f"{run.path}: no finished trials with val_unseen rows to rank ({counts}){why}"


def seed_means(units: pd.DataFrame, column: str) -> pd.Series:
    """Value of each seed: the mean over its folds."""
    return units.groupby("seed")[column].mean()


def _row(
    config: str, own: pd.DataFrame, metric: Criterion, test: pd.DataFrame, found: pd.DataFrame
) -> dict[str, Any]:
    over_seeds = t_interval(seed_means(own, metric.key))
    over_folds = t_interval(own.groupby("fold")[metric.key].mean())
    tested = test[test["config"] == config]
    return {
        "config": config,
        "seeds": own["seed"].nunique(),
        "folds": own["fold"].nunique(),
        "units": len(own),
        "censored": int((own["status"] != "done").sum()),
        "value": over_seeds.mean,
        "low": over_seeds.low,
        "high": over_seeds.high,
        "fold_low": over_folds.low,
        "fold_high": over_folds.high,
        **{key: float(seed_means(own, key).mean()) for key in CRITERIA},
        **{f"u_{key}": float(seed_means(own, f"u_{key}").mean()) for key in CRITERIA},
        "rank_invariant": bool(own["rank_invariant"].fillna(False).astype(bool).all()),
        "test_aupr": float(seed_means(tested, "aupr").mean()) if len(tested) else float("nan"),
        "flags": list(dict.fromkeys(found[found["config"] == config]["rule"])),
    }


def _against_best(
    units: pd.DataFrame, metric: Criterion, config: str, table: pd.DataFrame, rope: float
) -> dict[str, Any]:
    """Gain of a configuration over the best one, paired by fold and seed, and the mark that follows."""
    best = str(table["config"].iloc[0])
    if config == best:
        zero = Interval(0.0, float("nan"), float("nan"), float("nan"), 0)
        return {"tie": "best", "difference": 0.0, "difference_low": zero.low, "difference_high": zero.high,
                "p_better": float("nan")}  # fmt: skip
    own, top = (units[units["config"] == c].set_index(["fold", "seed"])[metric.key] for c in (config, best))
    paired = (own - top).dropna().map(metric.gain)
    gain = t_interval(paired.groupby(level="seed").mean()) if len(paired) else t_interval([])
    return {
        "tie": gain.verdict(rope),
        "difference": gain.mean,
        "difference_low": gain.low,
        "difference_high": gain.high,
        "p_better": _p_better(own.map(metric.gain), top.map(metric.gain)),
    }


def _p_better(own: pd.Series, top: pd.Series) -> float:
    """P(A > best) per fold over all pairs of seeds, averaged over folds."""
    folds = own.index.get_level_values("fold").intersection(top.index.get_level_values("fold")).unique()
    each = [probability_of_improvement(own.xs(f, level="fold"), top.xs(f, level="fold")) for f in folds]
    return float(pd.Series(each, dtype=float).mean())


def _baselines(run: Run, metric: Criterion) -> pd.DataFrame:
    """The run's own baselines on the same folds, best first: mean over folds of val_unseen, and of test."""
    rows = run.table("baselines")
    if rows.empty:
        return pd.DataFrame(columns=["baseline", *CRITERIA, "test_aupr", "folds"])
    collected = []
    for name, own in rows.groupby("baseline"):
        entry: dict[str, Any] = {"baseline": name, "folds": own["fold"].nunique()}
        for key, each in CRITERIA.items():
            chosen = own[(own["split"] == "val_unseen") & (own["cell_line"] == each.cell_line)]
            entry[key] = float(chosen[each.column].mean())
        tested = own[(own["split"] == "test") & (own["cell_line"] == "macro")]
        collected.append({**entry, "test_aupr": float(tested["aupr"].mean())})
    table = pd.DataFrame(collected)
    return table.sort_values(metric.key, ascending=not metric.higher_is_better).reset_index(drop=True)
