"""A start of a small sweep as the driver makes it, with the units trained one after the other in this process."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis.store import Run
from harness.config.sweep.sweep import load_sweep
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.design.plan import Plan
from harness.stamp.stamp import Stamp
from harness.store.writer import RunWriter
from harness.sweep.driver import save_start
from harness.sweep.run.aside import complete_moves, put_aside
from harness.sweep.run.lock import only_driver
from harness.sweep.run.taken_back import take_back
from harness.sweep.start import Start, prepare
from harness.trial.unit_run import UnitRun
from tests.harness.small_sweeps import SETTINGS

YAML = f"""
name: small
base: minimal
data: {{synthetic: {{form: gated, cell_lines: 6, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}}}}
trial: {{epochs: 2, seeds: 2}}
objective: val_unseen/pooled/aupr
{SETTINGS}design: grid
"""
FOLDED = YAML.replace(
    "chromosomes: 4}}", "chromosomes: 4}, folds: [{test: [C1], val: [C2], chromosomes: [chr2]}]}"
)
"""The same sweep on another fold, which has the default one's name."""
EACH = YAML.replace("chromosomes: 4}}", "chromosomes: 4}, folds: each cell line, chromosomes: [chr2]}")
"""The same sweep on a fold per cell line, of which the other fold is one."""


@dataclass
class Small:
    """The sweep in `folder`, run in `folder / run`."""

    folder: Path
    run: str = "run"

    @property
    def path(self) -> Path:
        return self.folder / self.run

    def start(
        self,
        *sets: str,
        yaml: str = YAML,
        resume: bool = False,
        reuse: bool = False,
        epochs: int | None = None,
        train: bool = True,
    ) -> Start:
        """One start; `epochs`: killed after so many of every unit, `train=False`: before the first one. The plan is
        then left as running."""
        file = self.folder / "small.yaml"
        file.write_text(yaml)
        sweep = load_sweep(file, overrides=sets)
        data = sweep.config.data
        dataset = open_dataset(
            data, enhancer_bp=80, promoter_bp=80, cache=self.folder / "cache", progress=False
        )
        folds = make_folds(dataset, data)
        stamp = Stamp.of(sweep.config, data=dataset.hash)
        fresh = Plan.of(sweep, folds=folds, data=dataset.hash)
        with only_driver(self.path):
            complete_moves(self.path)
            start = prepare(sweep, fresh, self.path, resume=resume, gpu=False, reuse=reuse, stamp=stamp)
            put_aside(self.path, start.aside)
            take_back(self.path, start.back)
            running = replace(start, plan=replace(start.plan, status="running"))
            save_start(sweep, running, self.path)
            by_id = {fold.id: fold for fold in folds}
            for units in start.pending.values() if train else ():
                for unit in units:
                    planned = start.plan.configs[unit.config_id]
                    one = UnitRun(
                        planned.config,
                        dataset,
                        by_id[unit.fold],
                        unit.seed,
                        RunWriter(self.path),
                        changes=dict(planned.changes),
                        objective=sweep.config.objective,
                        stop_rules=sweep.config.stop,
                        inspector=None,
                        stamp=stamp,
                    )
                    while not one.finished and (epochs is None or one.epoch < epochs):
                        one.advance()
            if epochs is None and train:
                replace(start.plan, status="finished").save(self.path)
        return start

    def trials(self) -> pd.DataFrame:
        return Run.open(self.path).table("units").sort_values(["config", "fold", "seed"], ignore_index=True)

    def epochs(self) -> pd.DataFrame:
        """What was trained, without its times."""
        table = Run.open(self.path).table("epochs").drop(columns=["wall_s", "cpu_s"])
        return table.sort_values(["config", "fold", "seed", "epoch"], ignore_index=True)
