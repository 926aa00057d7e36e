"""What plan and store know of the configurations that a space can draw: all that a study needs to go on."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pandas as pd

from analysis.store import Run
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import flatten
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.space import Space
from harness.config.sweep.sweep import Sweep
from harness.design.plan import Plan, Planned, Unit
from harness.design.trial import Trial
from harness.sweep.run.statuses import WORST_FIRST
from harness.sweep.run.stored import Stored, stored_units
from harness.sweep.search.beside import beside
from harness.sweep.search.curves import History
from harness.trial.step.schedule import Schedule


@dataclass(frozen=True)
class Past:
    """One configuration: the draw that gives it (name of entry -> value), what that `changes`, its status, the
    objective that it reached (mean over folds of the mean over the units that did not diverge; NaN while it is
    `running`) and the same after every epoch."""

    config: str
    params: Mapping[str, Any]
    changes: Mapping[str, Any]
    status: str = "running"
    value: float = math.nan
    curve: list[tuple[int, float]] = field(default_factory=list)
    others: tuple[float, ...] = ()
    """What it reached of the objectives beside the first."""

    @property
    def values(self) -> tuple[float, ...]:
        """What it reached of every objective."""
        return (self.value, *self.others)

    @property
    def running(self) -> bool:
        return self.status == "running"


def past(
    sweep: Sweep, plan: Plan, run: Path, *, folds: Collection[str], pending: Collection[str], gpu: bool
) -> tuple[list[Past], History]:
    """The configurations of `plan` that the sweep's space can draw, in the plan's order, judged by the sweep's seeds
    on `folds`; and the learning curve of every trial of the plan, whether the space can draw it or not.

    `pending` ones still have something to run. Left out are those that no draw gives, and those that have nothing to
    run and no result of the sweep's objective.
    """
    objective, seeds = sweep.config.objective, set(sweep.config.seeds)
    stored: dict[str, dict[Unit, Stored]] = {}
    for unit, row in stored_units(run).items():
        if unit.fold in folds and unit.seed in seeds and row.objective == objective:
            stored.setdefault(unit.config_id, {})[unit] = row
    curves = learning_curves(run, plan, objective, {unit for units in stored.values() for unit in units})
    space, result = sweep.studied, []
    for config, planned in plan.configs.items():
        rows = stored.get(config, {})
        if config not in pending and not rows:
            continue
        fit = fitting(sweep, space, planned, config, gpu=gpu)
        if fit is not None:
            status, value = ("running", math.nan) if config in pending else _reached(rows)
            of_folds = [dict(curves.get(Trial(config, fold), ())) for fold in folds]
            curve = _mean(list(filter(None, of_folds)), shared=len(folds) if config in pending else None)
            others = beside(run, rows, sweep.config.sampler.beside)
            result.append(Past(config, *fit, status, value, curve, others))
    return result, curves


def fitting(
    sweep: Sweep, space: Space, planned: Planned, config: str, *, gpu: bool
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """(draw, changes) of the space that give the very configuration of the sweep, or None.

    What a configuration changed when it was planned is looked at first, then its whole content: in a space that has
    grown by a path, it is the draw in which that path has the value that it always had.
    """
    content = flatten(planned.config.model_dump())
    for settings in ({**content, **planned.changes}, content):
        params = space.find(settings)
        if params is None:
            continue
        try:
            changes = space.changes(params)
            if sweep.resolved(changes, gpu=gpu).id == config:
                return params, changes
        except ConfigError:
            continue
    return None


def learning_curves(
    run: Path, plan: Plan, objective: str, units: Collection[Unit]
) -> dict[Trial, list[tuple[int, float]]]:
    """Trial -> (epoch, mean over its `units` of the best objective so far), as a worker reports it."""
    if not units:
        return {}
    split, level, metric = objective.split("/")
    wanted = ["config", "fold", "seed", "epoch", "selection", "split", "cell_line", "score"]
    cells = Run(run).columns("cells", [*wanted, "prevalence_mode", "protocol", metric])
    rows = cells[
        (cells["selection"] == "epoch")
        & (cells["split"] == split)
        & (cells["cell_line"] == level)
        & (cells["score"] == "corrected")
        & (cells["prevalence_mode"] == "as_found")
        & (cells["protocol"] == "exact")
    ]
    by_trial: dict[Trial, list[dict[int, float]]] = {}
    for key, frame in rows.groupby(["config", "fold", "seed"], sort=False):
        config, fold, seed = cast(tuple[str, str, int], key)
        unit = Unit(config, fold, int(seed))
        if config in plan.configs and unit in units:
            by_trial.setdefault(unit.trial, []).append(
                _best_so_far(frame.sort_values("epoch"), metric, plan.configs[config].config)
            )
    return {trial: _mean(curves) for trial, curves in by_trial.items()}


def _best_so_far(frame: pd.DataFrame, metric: str, config: ConfigurationBlock) -> dict[int, float]:
    """Epoch -> objective of the epoch that would be selected then; epochs of phase 1 give way to any of phase 2."""
    phase = Schedule(config.curriculum, config.balance).phase
    smaller = metric in ("nll", "brier", "ece")
    best, chosen, curve = math.nan, 0, {}
    for epoch, value in zip(frame["epoch"].tolist(), frame[metric].tolist(), strict=True):
        later = not chosen or phase(chosen) < phase(epoch)
        improves = math.isnan(best) or (value < best if smaller else value > best)
        if later or (improves and math.isfinite(value)):
            best, chosen = value, epoch
        curve[epoch] = best
    return curve


def _mean(parts: list[dict[int, float]], shared: int | None = None) -> list[tuple[int, float]]:
    """Mean curve of units, or of folds; those that ended early count on with what they reached. `shared`: of that many
    parts, only the epochs to which all have come."""
    lengths = [max(part, default=0) for part in parts]
    last = max(lengths, default=0)
    if shared is not None:
        last = min(lengths) if len(lengths) == shared else 0
    curve = []
    for epoch in range(1, last + 1):
        values = [part[max(e for e in part if e <= epoch)] for part in parts if any(e <= epoch for e in part)]
        known = [value for value in values if math.isfinite(value)]
        if known:
            curve.append((epoch, sum(known) / len(known)))
    return curve


def _reached(rows: Mapping[Unit, Stored]) -> tuple[str, float]:
    """Status of the worst unit, and mean over folds of the mean over the units that count."""
    values: dict[str, list[float]] = {}
    for unit, row in rows.items():
        if row.status != "diverged" and row.value is not None and math.isfinite(row.value):
            values.setdefault(unit.fold, []).append(row.value)
    means = [sum(of_fold) / len(of_fold) for of_fold in values.values()]
    status = min((row.status for row in rows.values()), key=WORST_FIRST.index)
    return "failed" if status == "running" else status, sum(means) / len(means) if means else math.nan
