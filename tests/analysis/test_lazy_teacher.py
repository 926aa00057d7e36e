"""A Student that is still growing when its unit ends is not called lazy, live and from the store alike."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.rules import Units, judge
from analysis.rules.watch import Watch
from tests.analysis.rule_units import unit
from tests.typed import rows_of


@pytest.mark.parametrize(
    ("shares", "judged", "lazy"),
    [
        ((0.001, 0.01), False, False),
        ((0.01, 0.029), True, True),
        ((0.02, 0.001), True, True),
        ((0.01, 0.001, 0.02), True, True),
        ((0.001, 0.049), False, False),
        ((0.001, 0.051), True, False),
        ((0.001, 0.9), True, False),
    ],
    ids=[
        "tenfold", "not threefold", "falling", "no more than it once was", "just below 5 %", "just above", "nearly all",
    ],
)  # fmt: skip
def test_a_student_that_is_still_growing_is_not_called_lazy(
    shares: tuple[float, ...], judged: bool, lazy: bool
) -> None:
    """R_S begins at 0 and takes few steps from a thousandth of R_T's variance to all of it, sooner or later; one that has
    come to 5 % is judged, growing or not."""
    losses = tuple(0.6 - 0.01 * at for at in range(len(shares)))
    records = unit(
        loss=losses,
        train=(0.7,) * len(shares),
        taught=tuple(0.1 + 0.1 * at for at in range(len(shares))),
        logged={"student_var": np.array(shares), "teacher_var": 1.0},
        trial={"epochs": len(shares)},
    )
    records = replace(records, epochs=records.epochs.assign(step=300))  # type: ignore[union-attr]  # it is a frame
    content = {**json.loads(records.row["config_json"]), "optimiser": {"epochs": len(shares)}}
    records = replace(records, row={**records.row, "config_json": json.dumps(content)})
    judgement = judge(Units.of_one(records))
    assert ("lazy_teacher" in {finding.rule for _, finding in judgement.findings}) is lazy
    assert judgement.unable(0, "lazy_teacher") is not judged
    if not judged:
        assert "still growing" in judgement.missing["lazy_teacher"][0]
    watch, found = Watch(), set()
    tables = {
        name: rows_of(table) if isinstance(table, pd.DataFrame) else list(table)
        for name, table in vars(records).items()
        if name != "row"
    }
    for epoch in range(1, len(shares) + 1):
        now = {
            name: [row for row in rows if row.get("epoch", epoch) == epoch] for name, rows in tables.items()
        }
        watch.resume(json.loads(json.dumps(watch.state())))
        found = {finding.rule for finding in watch.see({**records.row, "status": "running"}, now)}
    assert ("lazy_teacher" in found) is lazy
