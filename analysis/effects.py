"""The effect of one key: paired differences between configurations that are equal in everything else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.balance import common_to_seeds, mixed
from analysis.criteria import CRITERIA, Criterion, criterion
from analysis.errors import UserError, nearest
from analysis.folds import corrected_interval, evaluated_share
from analysis.intervals import Interval
from analysis.measured_on import MeasuredLines
from analysis.paired import PairedEffect, paired_effect
from analysis.reported import reported_units, resolved_configurations
from analysis.schema import SPLITS
from analysis.store import Run

IMPORTED_NAME = "import.name"
"""The one setting of what was imported; the other keys there tell files and digits."""


@dataclass(frozen=True)
class Comparison:
    """b - a of one key: `pairs` has a row per matched (fold, seed, pair of configurations).

    `effect` is over seeds (the unit of replication) and `folds` the corrected t over folds, NaN for one;
    `censored` counts the matched rows left out of `pairs` because one of their units was stopped or pruned, whose missing
    epochs are not random; `unbalanced` those left out because not every seed has them, and `mixed` says that the seeds
    have none in common, so that nothing was left out and each seed's mean is over other folds or configurations.
    """

    key: str
    a: str
    b: str
    by: Criterion
    split: str
    pairs: pd.DataFrame
    effect: PairedEffect
    folds: Interval
    censored: int
    unbalanced: int
    mixed: bool


def compare(
    run: Run, key: str, a: str, b: str, *, metric: str = "pooled_aupr", split: str = "val_unseen"
) -> Comparison:
    """Differences b - a of a criterion between configurations that differ in `key` alone.

    Keys of the same block that only one of the two variants has (the gate slope of a gated energy beside a
    linear one) do not count as a difference. Differences are averaged within a seed over folds and over
    matched configurations before anything is tested.

    Raises UserError for an unknown metric, split, key or value (nearest name), when nothing differs in
    the key alone, or when no seed has finished for both.
    """
    by = criterion(metric)
    if split not in SPLITS or split == "train":
        raise UserError(
            f"unknown split '{split}'{nearest(split, SPLITS)} (known: val_unseen, val_seen, test)"
        )
    contents = resolved_configurations(run)
    if not any(contents.values()):
        raise UserError(f"{run.path}: no units to compare, the table units has no configuration yet")
    left, right = (_having(contents, key, text) for text in (a, b))
    if set(left) & set(right):
        raise UserError(f"--a and --b are both {a}; a comparison needs two values of {key}")
    matched = [(x, y) for x in left for y in right if _equal_but(contents[x], contents[y], key)]
    if not matched:
        raise UserError(
            f"{run.path}: no two configurations differ in {key} ({a} against {b}) alone; "
            "use `design: grid` or `set:` so that the other keys repeat"
        )
    units = reported_units(run, split)
    had = [each for each in CRITERIA.values() if units[each.key].notna().any()]
    if had and by not in had:
        has = " and ".join(each.label for each in had)
        raise UserError(
            f"{run.path}: no unit has {by.label} on {split}; what they have is {has} (--metric {had[0].key})"
        )
    began = set(units["config"])
    units = units[units[by.key].notna()]
    rows: list[dict[str, Any]] = []
    measured = MeasuredLines(run)
    for x, y in matched:
        if unlike := measured.unlike(x, y):
            raise UserError(f"{run.path}: {key} {a} and {b} are no comparison: {unlike}")
        first, second = units[units["config"] == x], units[units["config"] == y]
        sides = ((a, x, first), (b, y, second))
        without = [value for value, config, each in sides if each.empty and config in began]
        if without and had:
            raise UserError(
                f"{run.path}: {key} = {without[0]} has no {by.label} on {split} (--metric {had[0].key} may have it)"
            )
        joined = first.merge(second, on=["fold", "seed"], suffixes=("_a", "_b"))
        for row in joined.to_dict("records"):
            value_a, value_b = row[f"{by.key}_a"], row[f"{by.key}_b"]
            rows.append(
                {
                    "fold": row["fold"],
                    "seed": row["seed"],
                    "config_a": x,
                    "config_b": y,
                    "a": value_a,
                    "b": value_b,
                }
                | {"difference": value_b - value_a}
                | {"censored": row["status_a"] != "done" or row["status_b"] != "done"}
            )
    if not rows:
        raise UserError(
            f"{run.path}: no finished units on {split} share a fold and seed at {key} = {a} and {b}"
        )
    matching = ["fold", "config_a", "config_b"]
    matched_rows = pd.DataFrame(rows)
    every = matched_rows[~matched_rows["censored"]].drop(columns="censored").reset_index(drop=True)
    if every.empty:
        raise UserError(
            f"{run.path}: every pair of units at {key} = {a} and {b} holds one that was stopped or pruned, whose missing "
            "epochs are not random; run both to their end (scheduler: {kind: none}, no stop)"
        )
    pairs = every[common_to_seeds(every, matching)].reset_index(drop=True)
    return Comparison(
        key=key,
        a=a,
        b=b,
        by=by,
        split=split,
        pairs=pairs,
        effect=paired_effect(pairs.groupby("seed")["difference"].mean()),
        folds=corrected_interval(pairs.groupby("fold")["difference"].mean(), evaluated_share(run)),
        censored=len(matched_rows) - len(every),
        unbalanced=len(every) - len(pairs),
        mixed=bool(mixed(every, matching).any()),
    )


def _having(contents: Mapping[str, Mapping[str, Any]], key: str, text: str) -> list[str]:
    """Configurations whose `key` has the value written as `text`."""
    paths = sorted({path for content in contents.values() for path in content})
    if key not in paths:
        raise UserError(f"--key: no configuration has the key '{key}'{nearest(key, paths)}")
    configurations = [
        config for config, content in contents.items() if key in content and _same(content[key], text)
    ]
    if not configurations:
        values = sorted({_written(content[key]) for content in contents.values() if key in content})
        raise UserError(
            f"no configuration has {key} = '{text}'{nearest(text, values)} (present: {', '.join(values)})"
        )
    return configurations


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _same(value: Any, text: str) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value) == float(text)
        except ValueError:
            return False
    return _written(value) == text


def _equal_but(left: Mapping[str, Any], right: Mapping[str, Any], key: str) -> bool:
    """Whether two contents are equal but for `key` and the keys that only one variant of its block has."""
    block = key.rpartition(".")[0] + "."
    if key == IMPORTED_NAME:
        return True
    for path in left.keys() | right.keys():
        if path == key or (path.startswith(block) and (path in left) != (path in right)):
            continue
        if path not in left or path not in right or left[path] != right[path]:
            return False
    return True
