"""Rule duplicate_results: two configurations of a run whose results are the same numbers. It is judged on the whole run, so
it stands in the analysis alone, after the rules that a trial judges by itself."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.reported import configuration_changes, flatten, resolved_configurations
from analysis.rules import Units
from analysis.rules.never_acted import MECHANISM, TERM, NeverActed
from analysis.schema import MACRO, POOLED
from analysis.store import KEYS, Run

RULE, MARK = "duplicate_results", "2"
FEWEST = 15
"""Numbers that have to agree."""
DECIMALS = 3
"""Digits after the point below which a number that agrees says nothing."""
_METRICS = (
    "aupr", "auc", "f1", "precision", "recall", "threshold_oracle", "nll", "logit_sd", "probability_sd",
)  # fmt: skip
"""Compared columns of `cells`; none that the data decide."""
_WRITTEN_AS = {"threshold_oracle": ("threshold", "threshold_oracle")}
_LOOKED_AT = 5
"""Numbers that two configurations have to share with no third one in between before all of theirs are compared."""
_ADVICE = "measure one of them again: a result that repeats in every digit is one measurement under two names"
_SOURCE, _SEVERITY = "record points rp08, rp09, rp12, rp13", "fault"
DECLARATION = (
    RULE,
    MARK,
    _SEVERITY,
    f"two configurations of a run that agree in every digit of at least {FEWEST} numbers",
    "",
    _SOURCE,
    _ADVICE,
)
"""Name, letter, severity, condition, limits, source and advice of the rule."""


@dataclass(frozen=True)
class Copy:
    """Two configurations whose results are identical: how many numbers, of which metrics, in how many cell lines."""

    configs: tuple[str, str]
    numbers: int
    metrics: tuple[str, ...]
    lines: int
    decimals: int | None

    def sentence(self, other: str) -> str:
        """What is said of the other one; `decimals` None where the store has all digits."""
        digits = "in every digit" if self.decimals is None else f"to the last of {self.decimals} decimals"
        return (
            f"identical as reported to {other}: {self.numbers} numbers ({', '.join(self.metrics)}) over {self.lines} cell "
            f"line{'s' if self.lines != 1 else ''} agree {digits}"
        )


class _Numbers(NamedTuple):
    """Of one configuration: places (a number per fold, seed and cell line, ascending) [n], numbers there [n, metrics], and
    cell lines [n]."""

    keys: np.ndarray
    values: np.ndarray
    lines: np.ndarray


def copies(run: Run) -> list[Copy]:
    """Pairs of configurations that agree in all metrics that vary, over all cell lines and seeds that both have, in at
    least `FEWEST` numbers of `DECIMALS` decimals or more; those of the reported weights."""
    results = _results(run)
    config, names = pd.factorize(results["config"], sort=True)
    key, _ = pd.factorize(results["key"], sort=True)
    order = np.lexsort((key, config))
    config, key = config[order], key[order]
    values, lines = results[list(_METRICS)].to_numpy(float)[order], results["line"].to_numpy()[order]
    first = np.searchsorted(config, np.arange(len(names) + 1))
    digits = _digits(run)

    def numbers(of: int) -> _Numbers:
        at = slice(first[of], first[of + 1])
        return _Numbers(key[at], values[at], lines[at])

    each = (
        _compared((str(names[one]), str(names[other])), numbers(one), numbers(other), digits)
        for one, other in _alike(config, key, values)
    )
    return [copy for copy in each if copy is not None]


def duplicate_findings(run: Run, units: Units) -> Iterator[dict[str, Any]]:
    """Rows of the table `warnings`, one per unit of a copy; none where never_acted explains why two are the same."""
    repeated = copies(run)
    if not repeated:
        return
    names = {config: str(change.get("name", config)) for config, change in configuration_changes(run).items()}
    unit_keys: Any = run.table("units")[KEYS].to_dict("records")
    keys_of: dict[str, list[dict[str, Any]]] = {}
    for key in unit_keys:
        keys_of.setdefault(key["config"], []).append(key)
    silent: dict[str, set[str]] | None = None
    contents: Mapping[str, Mapping[str, Any]] = {}
    for copy in repeated:
        if copy.decimals is None:
            if silent is None:
                silent, contents = _silent_keys(run, units), resolved_configurations(run)
            if _explained(contents, copy.configs, silent):
                continue
        for config, other in (copy.configs, copy.configs[::-1]):
            for key in keys_of[config]:
                yield {
                    **key, "rule": RULE, "mark": MARK, "value": float(copy.numbers), "limit": float(FEWEST),
                    "severity": _SEVERITY, "epoch": None, "cell_line": None, "source": _SOURCE, "advice": _ADVICE,
                    "evidence": copy.sentence(names[other]), "implied": False, "live": False,
                }  # fmt: skip


def _results(run: Run) -> pd.DataFrame:
    """config, key (of fold, seed and cell line), line and metrics of the reported weights on val_unseen; none of those that
    were reported from phase 1, which configurations share that differ in phase 2 alone."""
    rows, epochs = run.judged(), run.table("epochs")
    phase1 = epochs.loc[epochs["phase"] == 1, [*KEYS, "epoch"]]
    if len(phase1):
        early = pd.MultiIndex.from_frame(phase1.astype({"config": str, "fold": str}))
        at = pd.MultiIndex.from_frame(rows[[*KEYS, "epoch"]].astype({"config": str, "fold": str}))
        rows = rows[~at.isin(early)]
    chosen = (
        (rows["split"] == "val_unseen") & (rows["selection"] == "best_on_validation") & (rows["unit"] >= 0)
    )
    rows = rows[chosen & (rows["cell_line"] != MACRO)]
    for column, preferred in (("protocol", "exact"), ("score", "corrected")):
        having = rows.loc[rows[column] == preferred, "unit"].unique()
        rows = rows[(rows[column] == preferred) | ~rows["unit"].isin(having)]
    of_lines = rows.loc[rows["cell_line"] != POOLED, "unit"].unique()
    rows = rows[(rows["cell_line"] != POOLED) | ~rows["unit"].isin(of_lines)]
    names = [rows[column].astype(str) for column in ("fold", "seed", "cell_line")]
    frame = rows[list(_METRICS)].assign(config=rows["config"].astype(str), line=names[2])
    frame["key"] = names[0] + "\n" + names[1] + "\n" + names[2]
    return frame.drop_duplicates(["config", "key"])


def _alike(config: np.ndarray, key: np.ndarray, values: np.ndarray) -> list[tuple[int, int]]:
    """Configurations of which one follows the other at least `_LOOKED_AT` times among those with the same number in the
    same place, ascending: of rows with a configuration [n], a place [n] and numbers [n, metrics]."""
    pairs = []
    for column in values.T:
        order = np.lexsort((config, column, key))
        at, number, of = key[order], column[order], config[order]
        same = (at[1:] == at[:-1]) & (number[1:] == number[:-1])
        pairs.append(np.stack([of[:-1][same], of[1:][same]], axis=1))
    linked, counts = np.unique(np.concatenate(pairs), axis=0, return_counts=True)
    return [(int(one), int(other)) for one, other in linked[counts >= _LOOKED_AT]]


def _digits(run: Run) -> dict[str, Mapping[str, int]]:
    """Configuration -> decimals that imported metrics were written with, over its seeds; nothing for a trial's own."""
    digits: dict[str, dict[str, int]] = {}
    for config, text in zip(run.table("units")["config"], run.table("units")["config_json"], strict=True):
        told = json.loads(text).get("import") if isinstance(text, str) and '"import"' in text else None
        for metric, count in (told or {}).get("decimals", {}).items():
            known = digits.setdefault(str(config), {})
            known[metric] = max(count, known.get(metric, 0))
    return dict(digits)


def _compared(
    pair: tuple[str, str], one: _Numbers, other: _Numbers, digits: Mapping[str, Mapping[str, int]]
) -> Copy | None:
    """The copy that two configurations are, None where they are none."""
    a, b, lines = one.values, other.values, one.lines
    if not np.array_equal(one.keys, other.keys):
        _, at, of_other = np.intersect1d(one.keys, other.keys, assume_unique=True, return_indices=True)
        a, b, lines = a[at], b[of_other], lines[at]
    both = ~(np.isnan(a) | np.isnan(b))
    varies = _varying(a, both) | _varying(b, both)
    numbers = 0
    metrics: list[str] = []
    fewest: list[int] = []
    for column, metric in enumerate(_METRICS):
        written = [_written(digits[config], metric) for config in pair if config in digits]
        if not varies[column] or min(written, default=DECIMALS) < DECIMALS:
            continue
        if (both & (a != b))[:, column].any():
            return None
        numbers, fewest = numbers + int(both[:, column].sum()), [*fewest, *written]
        metrics.append("threshold" if metric == "threshold_oracle" else metric)
    if numbers < FEWEST:
        return None
    return Copy(pair, numbers, tuple(metrics), len(set(lines)), min(fewest, default=None))


def _varying(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which columns of [n, metrics] have two known numbers that differ [metrics]."""
    high = np.max(values, axis=0, where=known, initial=-np.inf)
    return high > np.min(values, axis=0, where=known, initial=np.inf)


def _written(digits: Mapping[str, int], metric: str) -> int:
    return max(digits.get(name, 0) for name in _WRITTEN_AS.get(metric, (metric,)))


def _silent_keys(run: Run, units: Units) -> dict[str, set[str]]:
    """Configuration -> settings, and `BLOCK.*`, of its terms and parts of mechanisms that acted in none of its units."""
    readings = NeverActed().measure(units)
    configs = run.table("units")["config"].to_numpy()[readings.unit]
    keys = _settings(run)
    silent: dict[str, set[str]] = {}
    for name, first in readings.values.items():
        if name.startswith((TERM, MECHANISM)):
            there = ~np.isnan(first)
            acted = pd.Series(first[there] == 0).groupby(configs[there]).any()
            for config in acted.index[~acted]:
                silent.setdefault(str(config), set()).update(keys.get(name, ()))
    return silent


def _settings(run: Run) -> dict[str, set[str]]:
    """Name of a value of never_acted -> its settings."""
    terms = run.table("terms")[["term", "weight_key"]].dropna().drop_duplicates()
    keys: dict[str, set[str]] = {}
    for term, weight in zip(terms["term"], terms["weight_key"], strict=True):
        keys.setdefault(TERM + term, set()).update({weight, weight.removesuffix(".weight") + ".*"})
    for row in run.acted()[["id", "mechanism", "part", "keys"]].drop_duplicates().itertuples(index=False):
        keys.setdefault(f"{MECHANISM}{row.id} {row.mechanism} {row.part}", set()).update(
            str(row.keys).split(",")
        )
    return keys


def _explained(
    contents: Mapping[str, Mapping[str, Any]], pair: tuple[str, str], silent: Mapping[str, set[str]]
) -> bool:
    """Whether every setting in which two configurations differ is of something that never acted in either."""
    one, other = (flatten(dict(contents[config])) for config in pair)
    differing = [path for path in {**one, **other} if one.get(path) != other.get(path)]
    patterns = silent.get(pair[0], set()) | silent.get(pair[1], set())
    return bool(differing) and all(any(_inside(path, pattern) for pattern in patterns) for path in differing)


def _inside(path: str, pattern: str) -> bool:
    return path == pattern or (pattern.endswith(".*") and path.startswith(pattern.removesuffix("*")))
