"""Scored pairs as a run: rows of the store per predictor and seed, and what resampled loci and distances say of them."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from analysis.clustering import Floats
from analysis.distance import by_distance, matched_aupr
from analysis.imports.rows import FOLD, Row, identity
from analysis.imports.scores import ReportedScores, in_all_units
from analysis.metrics import by_cell
from analysis.resample import CURVE_METRICS, Curve, cluster_resamples, percentiles
from analysis.schema import ALWAYS, KEYS, MACRO, POOLED, PREVALENCES, REPORTED_BY_OTHERS, UNDATED

OF_LOGITS = (
    "nll", "nll_calibrated", "brier", "ece", "logit_sd", "probability_sd", "threshold", "threshold_oracle",
)  # fmt: skip
"""Metrics that only logits have: of a score that is none they are not evaluated."""
_SMALLEST = 1e-15
"""Distance from 0 and 1 that a probability keeps, so that its logit is finite."""


def logits(frame: pd.DataFrame) -> Floats:
    """The logits of probabilities [N]."""
    return np.asarray(logit(np.clip(frame["score"].to_numpy(), _SMALLEST, 1 - _SMALLEST)))


def predictor_units(frame: pd.DataFrame, file: str, *, probabilities: bool) -> Iterator[dict[str, list[Row]]]:
    """Table -> rows of every predictor and seed."""
    parts: Any = frame.groupby(["predictor", "seed"], sort=False)
    for (name, seed), part in parts:
        key = dict(zip(KEYS, (identity(str(name)), FOLD, int(seed)), strict=True))
        unit = {"status": "done", "selection": REPORTED_BY_OTHERS, "rank_invariant": False}
        unit["config_json"] = json.dumps({"import": {"name": name, "files": [file]}})
        unit["changes_json"] = json.dumps({"name": name})
        score = logits(part) if probabilities else part["score"].to_numpy()
        predictions = [
            {
                "split": "val_unseen",
                "draw": 0,
                "pair": pair,
                "cell_line": line,
                "label": label,
                "logit": value,
            }
            for pair, line, label, value in zip(
                part["pair"].tolist(), part["cell_line"], part["label"].tolist(), score.tolist(), strict=True
            )
        ]
        tables: dict[str, list[Row]] = {table: [] for table in ALWAYS}
        tables |= {"units": [unit], "predictions": predictions}
        tables["cells"] = list(_cells(part, score, probabilities=probabilities))
        yield {table: [{**key, **row} for row in rows] for table, rows in tables.items()}


def _cells(part: pd.DataFrame, score: Floats, *, probabilities: bool) -> Iterator[Row]:
    told = {"epoch": UNDATED, "selection": "best_on_validation", "split": "val_unseen", "score": "corrected"}
    label, cell = part["label"].to_numpy(), part["cell_line"].to_numpy()
    for mode, prevalence in PREVALENCES.items():
        locus = part["cluster"].to_numpy() if "cluster" in part and mode == "as_found" else None
        for row in by_cell(score, label, cell, prevalence=prevalence, locus=locus):
            undefined = () if probabilities else OF_LOGITS
            kept = {name: _plain(value) for name, value in row.items() if name not in undefined}
            yield {**told, "prevalence_mode": mode, "protocol": "exact", **kept}


def distance_baseline(frame: pd.DataFrame) -> list[Row]:
    """Rows of the baseline "distance": the nearer the likelier, on every pair once."""
    pairs = frame.drop_duplicates("pair")
    rows = by_cell(-pairs["distance"].to_numpy(), pairs["label"].to_numpy(), pairs["cell_line"].to_numpy())
    kept = ("cell_line", "n", "prevalence", "aupr", "auc")
    told = {"baseline": "distance", "fold": FOLD, "split": "val_unseen"}
    told["note"] = "minus the distance of the pair: the nearer the likelier"
    return [{**told, **{name: _plain(row[name]) for name in kept}} for row in rows]


class Resampled:
    """Metrics of every predictor, mean over its seeds, on the data and on resamples that all predictors share.

    `values` has a row (predictor, cell_line, metric) per column of `resamples` [R, k], with its value.
    """

    def __init__(self, frame: pd.DataFrame, resamples: int) -> None:
        frame = frame.reset_index(drop=True)
        self._curves: list[tuple[str, str, np.ndarray, Curve]] = []
        for (name, _), part in frame.groupby(["predictor", "seed"], sort=False):
            for line in [*sorted(part["cell_line"].unique()), POOLED]:
                rows = part if line == POOLED else part[part["cell_line"] == line]
                at = rows.index.to_numpy()
                self._curves.append((str(name), line, at, Curve(rows["score"], rows["label"])))
        self._columns = pd.MultiIndex.from_tuples(
            [(name, line, metric) for name, line, _, _ in self._curves for metric in CURVE_METRICS],
            names=["predictor", "cell_line", "metric"],
        )
        whole = self._tidy(self._measure(np.ones(len(frame)))[None])
        self.values = whole.iloc[0]
        cluster = pd.factorize(frame["cluster"])[0] if "cluster" in frame else np.zeros(0, dtype=np.int64)
        self.clusters = int(cluster.max()) + 1 if cluster.size else 0
        drawn = cluster_resamples(cluster, self._measure, resamples=resamples) if self.clusters > 1 else None
        self.resamples = whole.iloc[:0] if drawn is None else self._tidy(drawn)

    def _measure(self, weights: Floats) -> Floats:
        return np.array([value for _, _, at, curve in self._curves for value in curve.metrics(weights[at])])

    def _tidy(self, values: Floats) -> pd.DataFrame:
        """Mean over seeds, with macro, the mean over cell lines, beside them."""
        table = pd.DataFrame(values, columns=self._columns).T.groupby(level=[0, 1, 2], sort=False).mean()
        lines = table[table.index.get_level_values("cell_line") != POOLED]
        macro = lines.groupby(level=["predictor", "metric"], sort=False).mean()
        macro.index = pd.MultiIndex.from_tuples(
            [(name, MACRO, metric) for name, metric in macro.index], names=self._columns.names
        )
        return pd.concat([table, macro]).T

    def intervals(self) -> list[Row]:
        """Every metric per cell line, macro and pooled, with its percentile interval over clusters."""
        values: Any = self.values.items()
        return [
            {"predictor": name, "cell_line": line, "metric": metric, "value": _plain(value)}
            | _ends(self.resamples[(name, line, metric)].to_numpy())
            for (name, line, metric), value in values
        ]

    def differences(self) -> list[Row]:
        """Paired differences b - a of AUPR, macro and pooled, of every two predictors on the same resamples."""
        rows = []
        for a, b in combinations(dict.fromkeys(self._columns.get_level_values("predictor")), 2):
            for line in (MACRO, POOLED):
                one, other = (a, line, "aupr"), (b, line, "aupr")
                change = self.resamples[other].to_numpy() - self.resamples[one].to_numpy()
                difference = _plain(self.values[other] - self.values[one])
                rows.append({"a": a, "b": b, "cell_line": line, "difference": difference} | _ends(change))
        return rows


def figures(scores: ReportedScores, resamples: int) -> dict[str, Any]:
    """What the ranking of a run of predictors says beside its table, as a document of the run."""
    frame = scores.frame
    resampled = Resampled(frame, resamples)
    told: dict[str, Any] = {"clusters": scores.clusters, "count": resampled.clusters, "resamples": resamples}
    told |= {"intervals": resampled.intervals(), "differences": [], "bins": [], "matched": [], "common": 0}
    if scores.paired:
        common = frame[in_all_units(frame)]
        told["common"] = int(common["pair"].nunique())
        if told["common"] and set(common["label"]) == {0, 1}:
            paired = resampled if len(common) == len(frame) else Resampled(common, resamples)
            told["differences"] = paired.differences()
    if "distance" in frame:
        told["distance_seed"] = (
            int(frame["seed"].min()) if frame["seed"].min() < frame["seed"].max() else None
        )
        for name, of_name in frame.groupby("predictor", sort=False):
            part = of_name[of_name["seed"] == of_name["seed"].min()]
            columns = [part[column].to_numpy() for column in ("score", "label", "cell_line", "distance")]
            told["matched"].append({"predictor": name, "aupr": _plain(matched_aupr(*columns))})
            told["bins"] += [
                {
                    "predictor": name,
                    "bin": each.label,
                    "n": each.n,
                    "positives": each.positives,
                    "aupr": _plain(each.aupr),
                }
                for each in by_distance(*columns)
            ]
    return told


def _ends(values: Floats) -> Row:
    low, high = percentiles(values)
    return {"low": _plain(low), "high": _plain(high)}


def _plain(value: Any) -> Any:
    """A number as JSON and the store have it: None where it is not defined."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
