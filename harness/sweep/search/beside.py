"""What a search weighs beside its objective: measured on the weights that the objective selected."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from analysis.store import Run
from harness.design.plan import Unit


def beside(run: Path, units: Collection[Unit], objectives: Sequence[str]) -> tuple[float, ...]:
    """Mean over the `units` of each objective (split/level/metric) at their selected epoch; NaN where no unit has it."""
    if not objectives or not units:
        return (float("nan"),) * len(objectives)
    metrics = [each.split("/")[2] for each in objectives]
    keys = [
        "config",
        "fold",
        "seed",
        "selection",
        "split",
        "cell_line",
        "score",
        "prevalence_mode",
        "protocol",
    ]
    cells = Run(run).columns("cells", [*keys, *dict.fromkeys(metrics)])
    names = {unit.name for unit in units}
    keyed = zip(cells["config"], cells["fold"], cells["seed"], strict=True)
    mine = cells[
        (cells["selection"] == "best_on_validation")
        & (cells["score"] == "corrected")
        & (cells["prevalence_mode"] == "as_found")
        & (cells["protocol"] == "exact")
        & np.array([Unit(*key).name in names for key in keyed], dtype=bool)
    ]
    reached = []
    for objective, metric in zip(objectives, metrics, strict=True):
        split, level, _ = objective.split("/")
        rows = mine[(mine["split"] == split) & (mine["cell_line"] == level)]
        reached.append(float(rows[metric].mean()))
    return tuple(reached)
