"""Which epoch the recorded figures select, against the one that was evaluated and predicted with."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analysis.ledger.unit import UnitLedger
from analysis.schema import MACRO, POOLED

SMALLER_IS_BETTER = ("nll", "brier", "ece")
"""Ends of the objectives that fall as a model improves."""

TOLD_BY_EPOCH = {
    "split": ("val_seen", "val_unseen"),
    "cell_line": (MACRO, POOLED),
    "score": ("corrected",),
    "prevalence_mode": ("as_found",),
    "protocol": ("exact",),
    "selection": ("epoch",),
}
"""Column of `cells` -> its values in the rows that an objective may be read from."""


def told_by_epoch(cells: pa.Table) -> pa.Table:
    """The rows of `cells` that an objective may be read from."""
    masks = [pc.is_in(cells[name], pa.array(values)) for name, values in TOLD_BY_EPOCH.items()]
    return cells.filter(reduce(pc.and_, masks))


def objectives(cells: Sequence[Mapping[str, Any]], objective: str) -> dict[int, float]:
    """Epoch -> value of the objective (`val_unseen/macro/aupr`) from rows of `cells` of selection epoch; NaN for null."""
    split, line, name = objective.split("/")
    wanted = ("epoch", split, line, "corrected", "as_found", "exact")
    keys = ("selection", "split", "cell_line", "score", "prevalence_mode", "protocol")
    return {
        int(row["epoch"]): math.nan if row[name] is None else float(row[name])
        for row in cells
        if tuple(row[key] for key in keys) == wanted
    }


def best_epoch_is_selected(unit: UnitLedger) -> Iterator[str]:
    """The predictions are of the epoch with the best recorded objective, the first of equally good ones, among those of the
    last phase that was trained; epochs without a finite value count where no other one has any."""
    if not unit.objectives:
        return
    warm = unit.settings.get("curriculum", {}).get("phase1_epochs", 0)
    late = {epoch: value for epoch, value in unit.objectives.items() if epoch > warm} or unit.objectives
    finite = {epoch: value for epoch, value in late.items() if math.isfinite(value)}
    sign = -1.0 if unit.objective.endswith(SMALLER_IS_BETTER) else 1.0
    # Epochs in their order: of equal values the first one stays.
    best = max(sorted(finite), key=lambda epoch: sign * finite[epoch]) if finite else min(late)
    selected = int(unit.ledger["epoch"])
    if selected != best:
        value = unit.objectives.get(selected, math.nan)
        yield (
            f"epoch {selected} was selected with {unit.objective} {value:.6g}, and epoch {best} has "
            f"{late[best]:.6g}"
        )


def objective_is_of_the_selected_epoch(unit: UnitLedger) -> Iterator[str]:
    """What the unit reports as its objective is the recorded one of the selected epoch."""
    recorded, reported = unit.objectives.get(int(unit.ledger["epoch"])), unit.objective_value
    if recorded is None or reported is None or not (math.isfinite(recorded) or math.isfinite(reported)):
        return
    if not abs(recorded - reported) <= 1e-9 * (1 + abs(recorded)):
        yield f"{unit.objective} is reported as {reported:.6g}, and the selected epoch has {recorded:.6g}"
