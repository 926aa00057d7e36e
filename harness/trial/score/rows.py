"""Rows of the store from what an epoch's steps and a final evaluation measured."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from harness.trial.score.branch import SPLIT
from harness.trial.score.predict import SplitScores
from harness.trial.step.trainer import StepLog, Trainer

Row = dict[str, Any]


def epoch_row(logs: Sequence[StepLog]) -> Row:
    """Means over the steps of an epoch: total loss, gradient norm, state of the energy; and at its end how far z_I and
    z_E depend on each other (columns of `epochs`)."""
    state = {name: float(np.mean([log.state[name] for log in logs])) for name in logs[-1].state}
    return {
        "loss": float(np.mean([log.loss for log in logs])),
        "grad_norm": float(np.mean([log.grad_norm for log in logs])),
        **state,
        **logs[-1].dependence,
    }


def term_rows(logs: Sequence[StepLog], terms: Mapping[str, str]) -> list[Row]:
    """One row of `terms` per configured term (key -> path of its weight): mean value over the epoch's steps in which it was
    in force, and shares of all steps; weight, gradient norm and share at the last step. One that was never in force has
    weight 0 and no value."""
    rows: list[Row] = []
    for term, weight_key in terms.items():
        values = [log.values[term] for log in logs if term in log.values]
        weights = [log.weights.get(term, 0.0) for log in logs]
        acting = [log.values[term] != 0 for log in logs if log.weights.get(term, 0.0) != 0]
        row = {
            "term": term,
            "weight_key": weight_key,
            "in_force": len(acting) / len(logs),
            "acting": sum(acting) / len(logs),
        }
        if not values:
            rows.append({**row, "value": None, "weight": 0.0, "weighted": 0.0})
            continue
        value = float(np.mean(values))
        norm, share = logs[-1].shares.get(term, (float("nan"), float("nan")))
        rows.append(
            {
                **row,
                "value": value,
                "weight": weights[-1],
                "weighted": weights[-1] * value,
                "grad_norm": norm,
                "grad_share": share,
            }
        )
    return rows


def report_rows(trainer: Trainer, in_force: Container[str], cell_lines: Sequence[str]) -> list[Row]:
    """Rows of `reports` after an epoch: what the terms in force (keys) say of their states, of all or per training cell
    line."""
    rows: list[Row] = []
    for term, _ in trainer.weighted:
        said = term.report(trainer.states[term.key], trainer.index - 1) if term.key in in_force else {}
        for name, values in said.items():
            lines = cell_lines if values.ndim else (None,)
            rows += [
                {"term": term.key, "name": name, "cell_line": line, "value": value}
                for line, value in zip(lines, values.reshape(-1).tolist(), strict=True)
            ]
    return rows


def prediction_rows(
    scores: Mapping[str, SplitScores], cell_lines: Sequence[str], branches: Mapping[str, str]
) -> list[Row]:
    """Rows of `predictions`: every pair of every split once, of draw 0; `branches`: of test cell lines, if chosen."""
    rows = []
    for name, part in scores.items():
        columns = zip(
            part.pairs.tolist(),
            part.cell.tolist(),
            part.label.tolist(),
            part.u.tolist(),
            part.r.tolist(),
            part.t.tolist(),
            part.logit.tolist(),
            strict=True,
        )
        rows += [
            {
                "split": name,
                "draw": 0,
                "pair": pair,
                "cell_line": cell_lines[cell],
                "label": label,
                "u": u,
                "r": r,
                "t": t,
                "logit": logit,
                "branch": branches.get(cell_lines[cell]) if name == SPLIT else None,
            }
            for pair, cell, label, u, r, t, logit in columns
        ]
    return rows


def embedding_rows(scores: Mapping[str, SplitScores], cell_lines: Sequence[str]) -> list[Row]:
    """Rows of `embeddings`: z_E, R_E and, where the energy has one, gate of every cell line, split and support draw."""
    return [
        {
            "cell_line": cell_lines[code],
            "split": name,
            "draw": draw,
            "r_cell": float(part.r_cell[code][draw]),
            "r_raw": float(part.r_raw[code][draw]),
            "r_student": float(part.r_student[code][draw]),
            "r_teacher": float(part.r_teacher[code][draw]) if code in part.r_teacher else None,
            "posterior": float(part.posterior[code][draw]) if code in part.posterior else None,
            "gate": None if part.gate is None else float(part.gate[code][draw]),
            "z_e": vector.tolist(),
            "place": part.places[code][draw].tolist() if code in part.places else None,
        }
        for name, part in scores.items()
        for code, vectors in part.z_e.items()
        for draw, vector in enumerate(vectors)
    ]
