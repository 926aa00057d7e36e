"""Rule dead_competition."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from analysis.rules.ended import NOTHING, at_the_end, last_epoch, unended
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, codes
from analysis.rules.units import Units

_SETTLED = 20
"""Episodes of a cell line beyond the warm-up after which the running shares have forgotten it."""


@register
class DeadCompetition(Rule):
    """Pull-in and push-away of the competition are 0 in at least 90 % of episodes after its warm-up (source document 000).

    Measured by the running shares of episodes in which either acted, over training cell lines; both at once count twice, so
    that the share of idle ones is a lower bound. Judged at the end of a unit that gave each cell line 20 seen episodes,
    and as many with its name hidden, beyond the warm-up.
    """

    id = "dead_competition"
    mark = "d"
    order = 230
    condition_text = "pull-in and push-away zero in at least 90 % of episodes after warm-up"
    severity = "fault"
    source = documents("000")
    advice = "more pseudo-unseen episodes, a smaller loss.competition.margin, or an Opportunist that can win"
    limits: ClassVar[Mapping[str, float]] = {"dead_competition": 0.9}

    def measure(self, units: Units) -> Readings:
        names = {name: units.settings(f"loss.competition.{name}") for name in ("weight", "warmup")}
        weight, warmup = (_numbers(each) for each in names.values())
        configured = units.configured & (weight > 0)
        rows = units.reports.where(units.reports.equals("term", "competition"))
        acting = rows.equals("name", "acted") | rows.equals("name", "pulled")
        rows = rows.where(acting & ~np.isnan(rows.numbers("value")))
        place = codes(rows.unit, rows.numbers("epoch"))
        present, at, epoch_of = np.unique(place, return_index=True, return_inverse=True)
        pushed = np.bincount(epoch_of, weights=rows.numbers("value"), minlength=len(present))
        lines = np.bincount(epoch_of, weights=rows.equals("name", "acted"), minlength=len(present))
        with np.errstate(invalid="ignore", divide="ignore"):
            idle = 1 - pushed / lines
        values = {"idle": idle.astype(np.float64), "lines": lines.astype(np.float64)}
        readings = Readings.of_units(rows.unit[at], rows.numbers("epoch")[at], values)
        most = np.zeros(units.count)
        np.maximum.at(most, readings.unit, lines)
        episodes = _episodes(units) / np.maximum(most, 1)
        lacks = [
            ("config_json of the table units", ~units.configured),
            (f"{NOTHING}: no competition is configured", ~configured),
            *unended(units, last_epoch(units)),
            ("acted and pulled of competition in the table reports", ~readings.has(units.count)),
            (f"{_SETTLED} episodes per cell line beyond the warm-up", ~(episodes >= warmup + _SETTLED)),
        ]
        return at_the_end(units, readings, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        idle, limit = values["idle"], limits[self.id]
        return Broken(idle, limit, idle >= limit)

    def evidence(self, reading: Reading) -> str:
        idle, lines = reading.values["idle"], reading.values["lines"]
        return f"neither acted in {idle:.0%} of the latest episodes of {lines:.0f} training cell lines"


def _episodes(units: Units) -> Floats:
    """Episodes [units] of the rarer kind so far, seen or with the name hidden."""
    steps = np.zeros(units.count)
    np.maximum.at(steps, units.epochs.unit, np.nan_to_num(units.epochs.numbers("step")))
    per_step, hidden = (_numbers(units.settings(f"episode.{name}")) for name in ("per_step", "pseudo_unseen"))
    return np.nan_to_num(steps * per_step * np.minimum(hidden, 1 - hidden))


def _numbers(values: list[Any]) -> Floats:
    return np.array([np.nan if each is None else float(each) for each in values], dtype=np.float64)
