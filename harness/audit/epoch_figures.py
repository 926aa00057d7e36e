"""Rows of `cells` of every epoch again, from the scores: what epochs are selected by, and what is told of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.ledger.figures import SAME, Counts
from analysis.schema import MACRO, POOLED
from harness.trial.episodes.sampler import rng
from harness.trial.score.evaluate import VALIDATION, CellRows
from harness.trial.score.predict import SplitScores

FIGURES = ("prevalence", "aupr", "auc", "nll", "brier", "nll_calibrated")
"""Columns of `cells` that no threshold is needed for."""
KEYS = ("epoch", "score", "split", "cell_line")
READ = (*KEYS, "selection", "prevalence_mode", "protocol", "threshold_logit", "f1", *FIGURES)
BEST, SEARCHED = 5e-6, 1e-4
"""Difference of a calibrated likelihood, relative to 1 + its size, that is rounding: two searches for one T stop 1e-5 of
log T apart, which makes next to nothing where T is the best one (BEST)."""
Where = tuple[int, str, str, str]


class EpochFigures:
    """FIGURES by (epoch, score, split, cell line, pooled or macro), calibrated by the T that validation has in that epoch,
    and the best F1 that a threshold gives validation."""

    def __init__(self, cell_lines: Sequence[str]) -> None:
        self.cell_lines = cell_lines
        self.values: dict[Where, np.ndarray] = {}
        self.best: dict[tuple[int, str], float] = {}

    def of_epoch(self, scores: Mapping[str, SplitScores], epoch: int) -> None:
        """The scores of an epoch (1-based)."""
        for score in ("u_only", "corrected"):
            whole = {
                name: _counts(part, score, np.ones(len(part.pairs), bool)) for name, part in scores.items()
            }
            validation = whole[VALIDATION]
            temperature = validation.temperature()
            if validation.positive.sum() and validation.negative.sum():
                self.best[epoch, score] = validation.best_f1(None)
            for name, part in scores.items():
                of_lines = []
                for code in np.unique(part.cell):
                    of_lines.append(_figures(_counts(part, score, part.cell == code), temperature))
                    self.values[epoch, score, name, self.cell_lines[code]] = of_lines[-1]
                self.values[epoch, score, name, POOLED] = _figures(whole[name], temperature)
                table = np.array(of_lines)
                defined = np.isfinite(table)
                sums = np.where(defined, table, 0.0).sum(0)
                with np.errstate(invalid="ignore"):
                    self.values[epoch, score, name, MACRO] = sums / defined.sum(0)

    def faults(self, cells: pa.Table) -> Iterator[str]:
        """The first row of each score of `cells` that has an epoch otherwise; epochs that were not seen here are passed
        over."""
        told = pa.table({name: cells[name] for name in READ})
        for name, value in (("selection", "epoch"), ("prevalence_mode", "as_found"), ("protocol", "exact")):
            told = told.filter(pc.equal(told[name], value))
        rows = {tuple(row[key] for key in KEYS): row for row in told.to_pylist()}
        seen = {epoch for epoch, *_ in self.values}
        for score in ("u_only", "corrected"):
            there = [where for where in {**rows, **self.values} if where[0] in seen and where[1] == score]
            faults = (self._fault(where, rows.get(where)) for where in sorted(there))
            yield from [text for text in faults if text][:1]

    def _fault(self, where: Where, row: Mapping[str, Any] | None) -> str:
        epoch, score, split, line = where
        place = f"epoch {epoch}: cells, score {score}, split {split}, {line}"
        made = self.values.get(where)
        if row is None or made is None:
            return f"{place}: there is a row of it in one of cells and scores"
        for name, wished in zip(FIGURES, made.tolist(), strict=True):
            stored = np.nan if row[name] is None else float(row[name])
            fitted = BEST if (split, line) == (VALIDATION, POOLED) else SEARCHED
            close = fitted if name == "nll_calibrated" else SAME
            if np.isnan(stored) != np.isnan(wished) or abs(stored - wished) > close * (1 + abs(wished)):
                return f"{place}: {name} is {stored:.6g}, and the scores give {wished:.6g}"
        best = self.best.get((epoch, score))
        if (split, line) == (VALIDATION, POOLED) and best is not None and abs(row["f1"] - best) > SAME:
            return f"{place}: its threshold gives F1 {row['f1']:.6g}, and the best one {best:.6g}"
        return ""


def strange_rows(rows: CellRows, scores: Mapping[str, SplitScores], seed: int) -> Iterator[str]:
    """What the trial's own `rows` make wrong of scores of which the answers differ: the labels' own margins with noise, far
    too large as U_I and far too small as logits, whatever the model has learnt so far. Pairs and labels are those of
    `scores`."""
    made = {}
    for name, part in scores.items():
        noise = rng(seed, "audit", "cells", name).normal(size=len(part.pairs))
        margin = (part.label - 0.5 + noise).astype(np.float32)
        made[name] = replace(part, u=4 * margin, logits=margin[None] / 4)
    figures = EpochFigures(rows.cell_names.tolist())
    figures.of_epoch(made, 0)
    options: dict[str, Any] = {"epoch": 0, "selection": "epoch", "prevalences": ["as_found"]}
    told = rows.rows(made, protocol="exact", **options)
    yield from figures.faults(pa.table({name: [row[name] for row in told] for name in READ}))


def _counts(part: SplitScores, score: str, at: np.ndarray) -> Counts:
    value = part.u if score == "u_only" else part.logit
    return Counts.of(value[at].astype(np.float64), part.label[at].astype(np.int8))


def _figures(counts: Counts, temperature: float) -> np.ndarray:
    made = counts.figures(None, float("nan"), temperature) if len(counts.score) else {}
    return np.array([made.get(name, np.nan) for name in FIGURES])
