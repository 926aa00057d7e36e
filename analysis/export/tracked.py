"""What a tracker is given: one run of its own for a unit, and one for a configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True)
class TrackedRun:
    """One run at a tracker. Numbers that the store does not have are absent, never 0; NaN of the store stays NaN.

    `key` names it for ever (the unit's name, or the configuration's identity), `name` is for a person. `params` are all
    keys of the resolved configuration by dotted path, `changed` those that it changes in the base. `series` has the
    metrics of every epoch, in order; `finals` those of the reported weights, or a configuration's means and intervals.
    """

    key: str
    name: str
    kind: Literal["unit", "configuration"]
    params: Mapping[str, Any]
    changed: Mapping[str, Any]
    series: Sequence[tuple[int, Mapping[str, float]]]
    finals: Mapping[str, float]
    tags: Mapping[str, str]
    status: str
    started: datetime | None = None
    finished: datetime | None = None

    def elapsed(self) -> dict[int, float]:
        """Seconds from its start to the end of every epoch, by what the epochs say that they took; of final metrics (0)
        those of the last one."""
        at, ends = 0.0, {}
        for epoch, metrics in self.series:
            at += metrics.get("epochs/wall_s", 0.0)
            ends[epoch] = at
        return {**ends, 0: at}
