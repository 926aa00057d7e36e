"""`predict.mode: branch_select` again: which branch is the better one of a test cell line, and the rows made of that."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from analysis.ledger.figures import FIGURES, SAME, SCORES, Counts, counted, number, unlike
from analysis.ledger.unit import UnitLedger
from analysis.schema import LEAKING, MACRO, POOLED, PREVALENCES

SPLIT = "test"
THRESHOLDED = ("f1", "precision", "recall", "threshold_logit", "nll_calibrated")
"""Figures of one threshold or one T, which several branches together do not have."""
Chosen = Mapping[str, str]
"""Test cell line -> score of its branch."""


def branches_are_the_better(unit: UnitLedger) -> Iterator[str]:
    """Every test pair's branch is the score of the higher AUPR in its cell line (of equal ones the corrected), none is
    recorded in other modes and splits, and the rows of score branch_select are those of the chosen logits."""
    recorded = unit.predictions["branch"]
    selects = unit.settings.get("predict", {}).get("mode") == "branch_select"
    tested = (unit.predictions["split"] == SPLIT).to_numpy()
    wrong = recorded.notna().to_numpy() != (tested & selects)
    if wrong.any():
        first = int(np.argmax(wrong))
        mode = "branch_select" if selects else "another one than branch_select"
        yield f"{unit.row(first)}: its branch is {recorded.iloc[first]}, and predict.mode is {mode}"
        return
    told = [row for row in unit.cells if row["score"] == LEAKING and row["protocol"] == "exact"]
    if not selects:
        if told:
            yield "cells has rows of score branch_select, and predict.mode is another one"
        return
    counts, chosen = counted(unit), dict[str, str]()
    for split, line, at in unit.groups:
        if split != SPLIT:
            continue
        alone, corrected = (
            counts[score, split, line].figures(None, np.nan, np.nan).get("aupr", np.nan) for score in SCORES
        )
        taken = recorded.iloc[at].unique()
        better = "u_only" if alone > corrected else "corrected"
        near = abs(alone - corrected) <= SAME
        if len(taken) != 1 or not (taken[0] == better or (near and taken[0] in SCORES)):
            yield f"split {SPLIT}, cell line {line}: the branch is {', '.join(taken)}, and {better} has the better AUPR"
            return
        chosen[line] = str(taken[0])
    for mode, prevalence in PREVALENCES.items():
        yield from _rows_are_of_the_chosen(unit, counts, chosen, mode, prevalence, told)


def _rows_are_of_the_chosen(
    unit: UnitLedger,
    counts: Mapping[tuple[str, str, str], Counts],
    chosen: Chosen,
    mode: str,
    prevalence: float | None,
    told: list[Mapping[str, Any]],
) -> Iterator[str]:
    """A line has the figures of its branch, macro their mean, pooled those of all chosen logits together."""
    place = f"cells, score {LEAKING}, prevalence {mode}"
    thresholds = {
        row["score"]: number(row["threshold_logit"])
        for row in unit.cells
        if (row["split"], row["cell_line"], row["prevalence_mode"], row["protocol"])
        == (SPLIT, POOLED, mode, "exact")
    }
    temperatures = {score: counts[score, "val_unseen", POOLED].temperature() for score in SCORES}

    def of(score: str, line: str) -> dict[str, float]:
        return counts[score, SPLIT, line].figures(
            prevalence, thresholds.get(score, np.nan), temperatures[score]
        )

    made = {line: of(score, line) for line, score in chosen.items()}
    sums = {name: sum(values[name] for values in made.values()) for name in ("n", "positives")}
    means = {name: _mean([values.get(name, np.nan) for values in made.values()]) for name in FIGURES[2:]}
    made[MACRO] = {**sums, **means}
    scores = set(chosen.values())
    if len(scores) == 1:
        made[POOLED] = of(scores.pop(), POOLED)
    else:
        at = np.flatnonzero((unit.predictions["split"] == SPLIT).to_numpy())
        alone = (unit.predictions["branch"].iloc[at] == "u_only").to_numpy()
        logit = np.where(alone, unit.column("u")[at], unit.column("logit")[at])
        label = unit.predictions["label"].to_numpy(dtype=np.int8)[at]
        whole = Counts.of(logit, label).figures(prevalence, np.nan, np.nan)
        made[POOLED] = {name: value for name, value in whole.items() if name not in THRESHOLDED}
    there = {str(row["cell_line"]): row for row in told if row["prevalence_mode"] == mode}
    for line in sorted(made.keys() ^ there.keys()):
        yield f"{place}: cell line {line} has a row in one of cells and predictions"
        return
    for line, row in there.items():
        name = unlike(row, made[line])
        if name is not None:
            expected = made[line].get(name, np.nan)
            yield f"{place}, {line}: {name} is {number(row[name]):.6g}, and the chosen logits give {expected:.6g}"
            return


def _mean(values: list[float]) -> float:
    defined = [value for value in values if np.isfinite(value)]
    return float(np.mean(defined)) if defined else np.nan
