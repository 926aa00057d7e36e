"""`predict.mode: branch_select`: per test cell line the better of U_I and the corrected score, by test AUPR.

This is how the legacy predicted (source document 000), and it leaks: the labels of the test pairs decide what is reported
of them. The numbers stand in rows of a score of their own, `branch_select`; nothing is selected or ranked by them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.metrics import METRICS, binary_metrics
from analysis.schema import LEAKING, MACRO, POOLED, PREVALENCES
from harness.trial.score.predict import SplitScores

Row = dict[str, Any]
SPLIT = "test"


def branches(cells: Sequence[Row], selection: str) -> dict[str, str]:
    """Test cell line -> u_only or corrected, whichever has the higher AUPR there, as found; of equal ones the latter."""
    auprs: dict[str, dict[str, float]] = {}
    for row in cells:
        where = (row["selection"], row["split"], row["prevalence_mode"], row["protocol"])
        if where == (selection, SPLIT, "as_found", "exact") and row["cell_line"] not in (MACRO, POOLED):
            auprs.setdefault(row["cell_line"], {})[row["score"]] = row["aupr"]
    return {
        line: "u_only" if aupr["u_only"] > aupr["corrected"] else "corrected" for line, aupr in auprs.items()
    }


def branch_rows(cells: Sequence[Row], split: SplitScores, names: Sequence[str], selection: str) -> list[Row]:
    """Rows of `cells` of the chosen branches of the test split, at every prevalence and in every protocol that is there.

    A cell line has the row of its branch; macro is their mean. The pooled row is computed from the chosen logits (exact
    protocol only); what needs one threshold or one calibration is null there where the branches differ.
    """
    chosen = branches(cells, selection)
    test_rows = [row for row in cells if row["selection"] == selection and row["split"] == SPLIT]
    rows: list[Row] = []
    for protocol, mode in dict.fromkeys((row["protocol"], row["prevalence_mode"]) for row in test_rows):
        here = {
            (row["cell_line"], row["score"]): row
            for row in test_rows
            if (row["protocol"], row["prevalence_mode"]) == (protocol, mode)
        }
        lines = [here[line, score] for line, score in chosen.items()]
        common = {
            key: lines[0][key] for key in ("epoch", "selection", "split", "prevalence_mode", "protocol")
        }
        totals = {key: sum(row[key] for row in lines) for key in ("n", "positives")}
        means = {key: _mean([row[key] for row in lines]) for key in METRICS}
        made = [*lines, {**common, "cell_line": MACRO, **totals, **means}]
        if protocol == "exact":
            scores = set(chosen.values())
            model = here[POOLED, scores.pop()] if len(scores) == 1 else None
            pooled = model or binary_metrics(
                _chosen_logits(split, names, chosen), split.label, prevalence=PREVALENCES[mode]
            )
            made.append({**pooled, **common, "cell_line": POOLED})
        rows += [{**row, "score": LEAKING} for row in made]
    return rows


def _chosen_logits(split: SplitScores, names: Sequence[str], chosen: Mapping[str, str]) -> np.ndarray:
    by_u = np.array([chosen[names[code]] == "u_only" for code in split.cell], dtype=bool)
    return np.where(by_u, split.u, split.logit)


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
