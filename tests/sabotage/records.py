"""Ways of breaking what a unit stores of z_I: the vectors of pairs that the analysis tells from what it holds."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from harness.trial import evaluation
from harness.trial.score.predict import Predictor
from tests.sabotage.tampering import Tampering
from tests.sabotage.way import Way

Rows = list[dict[str, Any]]
BREAKS: dict[str, Callable[[Rows], Rows]] = {
    "vectors of other pairs stored": lambda rows: _with(rows, "z_i", _turned([row["z_i"] for row in rows])),
    "a coordinate of the stored vectors left out": lambda rows: _with(
        rows, "z_i", [[0.0, *row["z_i"][1:]] for row in rows]
    ),
    "stored vectors with labels of other pairs": lambda rows: _with(
        rows, "label", _turned([row["label"] for row in rows])
    ),
    "stored vectors by names of other cell lines": lambda rows: _with(
        rows, "cell_line", _turned([row["cell_line"] for row in rows])
    ),
    "half of the vectors not stored": lambda rows: rows[::2],
}
"""What is done to the rows of `pair_vectors`."""


def ways() -> Iterator[Way]:
    """All of what makes z_I."""
    for text, change in BREAKS.items():
        yield Way("contract broken", text, partial(_rows, change=change))
    yield Way("contract broken", "scores with z_I of other pairs", _scores)


def _rows(tampering: Tampering, change: Callable[[Rows], Rows]) -> None:
    tampering.replace(
        evaluation,
        "pair_vector_rows",
        lambda true: lambda *arguments: _noted(tampering, true(*arguments), change),
    )


def _noted(tampering: Tampering, rows: Rows, change: Callable[[Rows], Rows]) -> Rows:
    changed: Rows = tampering.noted(rows, change(rows))
    return changed


def _scores(tampering: Tampering) -> None:
    """The scores of a split carry z_I in another order than its pairs."""

    def make(true: Any) -> Any:
        def predict(self: Predictor, *arguments: Any, **named: Any) -> Any:
            scores = true(self, *arguments, **named)
            return replace(scores, z_i=tampering.noted(scores.z_i, np.roll(scores.z_i, 1, axis=0)))

        return predict

    tampering.replace(Predictor, "predict", make)


def _turned(values: list[Any]) -> list[Any]:
    return values[1:] + values[:1]


def _with(rows: Rows, column: str, values: list[Any]) -> Rows:
    return [{**row, column: value} for row, value in zip(rows, values, strict=True)]
