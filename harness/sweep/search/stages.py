"""What the arms of a staged design reached so far, as its design asks for it."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.waterfall import FILE
from harness.config.blocks.design import Changes, Reached, Staged, Walk
from harness.config.sweep.sweep import Sweep
from harness.design.plan import Plan
from harness.store.writer import replace_atomically
from harness.sweep.run.statuses import ENDED
from harness.sweep.run.stored import stored_units


def results(sweep: Sweep, plan: Plan, run: Path, *, gpu: bool) -> Reached:
    """Changes -> seed -> the objective, mean over the plan's folds, of a configuration whose every unit has ended (seeds
    without a value on each fold left out); None of one that has units to run."""
    stored = {unit: row for unit, row in stored_units(run).items() if row.objective == plan.objective}

    def of(changes: Changes) -> Mapping[int, float] | None:
        config = sweep.resolved(changes, gpu=gpu).id
        units = plan.units_of(config)
        if any(unit not in stored or stored[unit].status not in (*ENDED, "failed") for unit in units):
            return None
        values: dict[int, list[float]] = {}
        for unit in units:
            value = stored[unit].value
            known = stored[unit].status == "done" and value is not None and math.isfinite(value)
            values.setdefault(unit.seed, []).append(value if known and value is not None else math.nan)
        means = {seed: sum(each) / len(each) for seed, each in values.items()}
        return {seed: mean for seed, mean in means.items() if math.isfinite(mean)}

    return of


def save_walks(sweep: Sweep, walks: Sequence[Walk], run: Path, *, gpu: bool) -> None:
    """Write RUN/walk.json: the configurations that a staged design took, step by step, and which seeds chose."""
    design = sweep.config.of_design
    if not isinstance(design, Staged):
        return
    chosen, reported = design.halves(sweep.config.seeds)
    told = [
        {
            "title": walk.title,
            "steps": [
                {"name": name, "config": sweep.resolved(arm.changes, gpu=gpu).id} for name, arm in walk.steps
            ],
        }
        for walk in walks
    ]
    content = {"chosen": chosen, "reported": reported, "walks": told}
    replace_atomically(run / FILE, (json.dumps(content, indent=1) + "\n").encode())
