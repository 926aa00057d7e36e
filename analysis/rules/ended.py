"""Figures that are judged where a unit has ended: before that, a network that has hardly been trained has all faults."""

from dataclasses import replace

import numpy as np

from analysis.rules.chance import POWER, UNDERPOWERED
from analysis.rules.readings import Lacks, Readings
from analysis.rules.table import Floats, Mask
from analysis.rules.units import Units
from analysis.schema import REPORTED_BY_OTHERS

TRAINED = 100
"""Optimiser steps before which no figure says anything of what was trained."""
NOTHING = "nothing to judge"
"""How a reason begins that names no missing input, but that a unit is not configured to have what a rule judges."""
NO_ENVIRONMENT = f"{NOTHING}: environment.source is none"


def unended(units: Units, last: Floats) -> list[tuple[str, Mask]]:
    """Inputs that units lack for a judgement after their epoch `last` [units]: an end in which every term had its turn."""
    censored = units.unit_rows.equals("status", "stopped") | units.unit_rows.equals("status", "pruned")
    running = units.unit_rows.equals("status", "running")
    planned = np.array([np.inf if n is None else float(n) for n in units.settings("optimiser.epochs")])
    ended = censored | units.unit_rows.equals("status", "done") | (running & (last >= planned))
    phase2 = units.having(units.epochs.where(units.epochs.numbers("phase") == 2))
    return [("phase 2 (the unit ended before it)", censored & ~phase2), ("the end of the unit", ~ended)]


def last_epoch(units: Units) -> Floats:
    """The last epoch of every unit [units], 0 without any."""
    return _largest(units, "epoch")


def untrained(units: Units, least: int = TRAINED) -> list[tuple[str, Mask]]:
    """`unended`, and units of fewer than the `least` steps. What others reported is of models that they call trained."""
    steps, ours = _largest(units, "step"), ~units.unit_rows.equals("selection", REPORTED_BY_OTHERS)
    lacks = [
        ("rows of the table epochs", ~units.having(units.epochs)),
        *unended(units, last_epoch(units)),
        ("step of the table epochs", ~(steps > 0)),
        (f"{UNDERPOWERED}: fewer than {least} optimiser steps", steps < least),
    ]
    return [(what, lacking & ours) for what, lacking in lacks]


def at_the_end(units: Units, readings: Readings, lacks: Lacks) -> Readings:
    """Of units that lack nothing the readings of the reported weights, or of the last epoch where those have none."""
    lacking = np.any([lack for _, lack in lacks], axis=0)
    reported = readings.at(readings.final).has(units.count)
    chosen = np.where(
        reported[readings.unit], readings.final, readings.epoch == last_epoch(units)[readings.unit]
    )
    return replace(readings.at(chosen & ~lacking[readings.unit]), lacks=[*lacks, *readings.lacks])


def powered_at_the_end(units: Units, readings: Readings, lacks: Lacks, underpowered: str) -> Readings:
    """As `at_the_end`, of these the readings whose `power` is enough. A unit whose end has too little is not judged by an
    epoch before, which may have had enough: it lacks what `underpowered` says."""
    end = at_the_end(units, readings, lacks)
    powered = end.at(end.values["power"] >= POWER)
    weak = end.has(units.count) & ~powered.has(units.count)
    return replace(powered, lacks=[*end.lacks, (f"{UNDERPOWERED}: {underpowered}", weak)])


def _largest(units: Units, column: str) -> Floats:
    largest = np.zeros(units.count)
    np.maximum.at(largest, units.epochs.unit, np.nan_to_num(units.epochs.numbers(column)))
    return largest
