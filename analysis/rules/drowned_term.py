"""Rule drowned_term."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.ended import NOTHING
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, Mask, Table
from analysis.rules.units import Units

_COMPETITION = "competition"
_WHOLE = 0.9
"""Share of its configured weight from which on a term is ramped in."""


@register
class DrownedTerm(Rule):
    """A loss term that is enabled and not 0, whose gradient is less than 1 % of the task's on the same parameters in at
    least half of its epochs (source document 003), two of them at least.

    An epoch in which a term is not in force, or is satisfied (value 0), does not count: that is never_acted's to say. Nor
    does one in which its weight is still ramped in (`balance.kind: ramp`, below 90 % of what is configured). A
    competition's value has the loss of its Opportunists at every step, which no parameter of the task gets a gradient of:
    where it neither pulled nor pushed at the last step, its share is 0 and does not count (dead_competition). The task has
    a share of 1 by definition, and is not judged.
    """

    id = "drowned_term"
    mark = "D"
    order = 120
    condition_text = "gradient share of an enabled term < 1 % in at least half of its epochs"
    severity = "fault"
    source = documents("003")
    advice = (
        "raise the term's weight until its share is 0.05 to 0.5, let a balance set it, or leave the term out"
    )
    limits: ClassVar[Mapping[str, float]] = {"drowned_term": 0.01}
    share = 0.5
    patience = 2

    def measure(self, units: Units) -> Readings:
        rows = units.terms
        code, unsorted = rows.texts("term")
        names = tuple(sorted(unsorted))
        code = np.array([*map(names.index, unsorted), -1], dtype=np.int64)[code]
        in_force = (rows.numbers("weight") > 0) | (rows.numbers("in_force") > 0)
        share, value = rows.numbers("grad_share"), np.nan_to_num(rows.numbers("value"))
        # The share is the last step's, at which a term that acts now and then may be satisfied.
        at_every_step = ~(rows.numbers("acting") < 1) & ~rows.equals("term", _COMPETITION)
        acting = (value != 0) & ((share > 0) | at_every_step)
        beside = (code >= 0) & ~rows.equals("term", "task")
        chosen = beside & in_force & acting & ~np.isnan(share) & ~_ramped_in(units, rows)
        kept, term = rows.where(chosen), code[chosen]
        lacks = [
            ("rows of the table terms", ~units.having(rows)),
            (f"{NOTHING}: no loss term beside the task", ~units.having(rows.where(beside))),
            ("grad_share of a term that acts in the table terms", ~units.having(kept)),
        ]
        values = {"grad_share": kept.numbers("grad_share"), "weight": kept.numbers("weight")}
        epoch = kept.numbers("epoch")
        nowhere = np.full(len(kept), -1, dtype=np.int64)
        return Readings(
            kept.unit, epoch, np.zeros(len(kept), dtype=bool), values, term, nowhere, names, lacks
        )

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        share, limit = values["grad_share"], limits[self.id]
        return Broken(share, limit, share < limit)

    def evidence(self, reading: Reading) -> str:
        share = reading.values["grad_share"]
        return (
            f"{reading.series} of weight {reading.values['weight']:.3g} has {share:.2%} of the task's gradient at epoch "
            f"{reading.epoch}, and less than {reading.limits[self.id]:.2g} of it in at least half of its epochs"
        )


def _ramped_in(units: Units, rows: Table) -> Mask:
    """Rows of `terms` [rows] whose weight in force is still on its way to the configured one."""
    ramps = np.array([kind == "ramp" for kind in units.settings("balance.kind")], dtype=bool)
    code, keys = rows.texts("weight_key")
    whole = np.full((len(keys) + 1, units.count), np.nan)
    for at, key in enumerate(keys):
        # loss.task is the name of the task loss, which has no weight of its own.
        whole[at] = [each if isinstance(each, int | float) else np.nan for each in units.settings(key)]
    with np.errstate(invalid="ignore"):
        below = rows.numbers("weight") < _WHOLE * whole[code, rows.unit]
    return np.asarray(below & ramps[rows.unit])
