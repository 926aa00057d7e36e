"""A configuration of the store as a tracked run: means over its units, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from analysis.criteria import CRITERIA
from analysis.export.tracked import TrackedRun
from analysis.folds import corrected_interval
from analysis.intervals import t_interval
from analysis.reported import REPORTED, counted_as
from analysis.stamps import STAMPS

LOW, HIGH, FOLD_LOW, FOLD_HIGH = "low", "high", "fold_low", "fold_high"
"""What stands in place of `final` in the names of the ends of a mean's intervals: over seeds, and over folds."""
_OUTSIDE = (
    "final/selected_epoch",
    "final/epochs",
    "final/train_pairs",
    "final/train_prevalence",
    "final/parameters",
)
"""Facts of a unit whose interval would say nothing."""


@dataclass(frozen=True)
class UnitSummary:
    """What a configuration's run needs of one of its units; small, since a driver keeps it until the others end."""

    fold: str
    seed: int
    status: str
    counts: bool
    """Whether it has a result that means are over, as the ranking counts it."""
    finals: Mapping[str, float]
    tags: Mapping[str, str]
    started: datetime | None
    finished: datetime | None

    @classmethod
    def of(cls, run: TrackedRun) -> "UnitSummary":
        """The summary of a unit's tracked run."""
        state = counted_as(run.status, run.tags.get("reason"), int(run.finals.get("final/epochs", 0)))
        ranked = [run.finals.get(f"final/val_unseen/{c.cell_line}/{c.column}") for c in CRITERIA.values()]
        return cls(
            run.tags["fold"],
            int(run.tags["seed"]),
            run.status,
            state in REPORTED and any(value is not None and value == value for value in ranked),
            run.finals,
            run.tags,
            run.started,
            run.finished,
        )


def tracked_configuration(
    config: str,
    label: str,
    settings: tuple[Mapping[str, Any], Mapping[str, Any]],
    units: Sequence[UnitSummary],
    planned: int,
    share: float,
) -> TrackedRun:
    """One run of a tracker for a configuration, over those of its `units` that have a result.

    `final/<metric>` is the mean over seeds within a fold, then over folds; `low/` and `high/` are the ends of the 95 %
    t-interval over seeds of each seed's mean over folds, `fold_low/` and `fold_high/` those of the corrected t over folds
    of each fold's mean over seeds (`share`: evaluated over training cell lines). A metric of units that lack folds is
    over the folds that all seeds have, as in the ranking; where they have none in common the mean is over all there is,
    without intervals. `settings`: all keys, and the changed ones.
    """
    counted = [unit for unit in units if unit.counts]
    finals, apart = _means(counted, share)
    seeds, folds = {u.seed for u in counted}, {u.fold for u in counted}
    return TrackedRun(
        key=config,
        name=f"{label} | mean",
        kind="configuration",
        params=settings[0],
        changed=settings[1],
        series=(),
        finals=finals,
        tags={
            "kind": "configuration",
            "config": config,
            "label": label,
            "status": _status(len(counted), planned),
            "units": f"{len(counted)} of {planned}",
            "seeds": str(len(seeds)),
            "folds": str(len(folds)),
            "censored": str(sum(u.status != "done" for u in counted)),
            "interval": "none: its seeds have no fold in common"
            if apart
            else f"95 % Student t over {len(seeds)} seeds",
            "warnings": ", ".join(sorted({r for u in units for r in u.tags["warnings"].split(", ") if r})),
            **{key: " | ".join(values) for key in ("stamp", *STAMPS) if (values := _distinct(units, key))},
        },
        status=_status(len(counted), planned),
        started=min((u.started for u in units if u.started), default=None),
        finished=max((u.finished for u in units if u.finished), default=None),
    )


def _means(units: Sequence[UnitSummary], share: float) -> tuple[dict[str, float], bool]:
    """Means and ends of intervals of every final metric, and whether the seeds of one have no fold in common."""
    names = list(dict.fromkeys(name for unit in units for name in unit.finals))
    seeds, folds = sorted({unit.seed for unit in units}), sorted({unit.fold for unit in units})
    values = np.full((len(folds), len(seeds), len(names)), np.nan)
    for unit in units:
        row = [unit.finals.get(name, np.nan) for name in names]
        values[folds.index(unit.fold), seeds.index(unit.seed)] = row
    there = ~np.isnan(values)
    # A seed that lacks a fold would be a mean over easier or harder folds than the others.
    common = (there | ~there.any(axis=0)).all(axis=1) & there.any(axis=(0, 1))
    apart = there.any(axis=(0, 1)) & ~common.any(axis=0)
    values[~(common[:, None] | apart) & there] = np.nan
    means: dict[str, float] = {}
    for at, name in enumerate(names):
        by_fold, by_seed = _mean(values[:, :, at], 1), _mean(values[:, :, at], 0)
        if not len(by_fold):
            continue
        means[name] = float(by_fold.mean())
        if apart[at] or name in _OUTSIDE:
            continue
        ends = {(LOW, HIGH): t_interval(by_seed), (FOLD_LOW, FOLD_HIGH): corrected_interval(by_fold, share)}
        for (low, high), interval in ends.items():
            if np.isfinite([interval.low, interval.high]).all():
                metric = name.removeprefix("final/")
                means |= {f"{low}/{metric}": interval.low, f"{high}/{metric}": interval.high}
    return means, bool(apart.any())


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over an axis of [folds, seeds], of those folds or seeds that have a value."""
    present = ~np.isnan(values)
    count = present.sum(axis=axis)
    total: np.ndarray = np.where(present, values, 0.0).sum(axis=axis)
    return total[count > 0] / count[count > 0]


def _status(counted: int, planned: int) -> str:
    """Whether as many units have a result as were planned."""
    return "complete" if counted >= planned else "incomplete"


def _distinct(units: Sequence[UnitSummary], key: str) -> list[str]:
    return sorted({unit.tags[key] for unit in units if unit.tags.get(key)})
