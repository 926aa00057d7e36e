"""Weights & Biases, offline: folders that `wandb sync` sends when a person wants that."""

import shutil
from pathlib import Path
from typing import Any

from analysis.export.tracked import TrackedRun
from analysis.export.tracker import Tracker


class WandbTracker(Tracker):
    """`OUT/wandb/offline-run-*`, one per tracked run; the runs of one configuration are a group.

    A run's config has all keys of the configuration, the summary final metrics, and the config under `tag/` the tags.
    A run that is written anew has the same id and its older folder is removed, unless that was sent already.
    """

    key = "wandb"
    client = "wandb"
    shared = True
    opened = "wandb sync {out}/wandb/offline-run-*"

    def write(self, run: TrackedRun, before: str | None) -> str:
        import wandb

        for folder in (self.out / "wandb").glob(f"offline-run-*-{run.key}"):
            shutil.rmtree(folder)
        config: dict[str, Any] = {**run.params, **{f"tag/{name}": value for name, value in run.tags.items()}}
        config["tag/changed"] = ", ".join(f"{path}={value}" for path, value in run.changed.items())
        written = wandb.init(
            project=self.project,
            id=run.key,
            name=run.name,
            group=run.tags["config"],
            job_type=run.kind,
            dir=str(self.out),
            config=config,
            mode="offline",
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                x_disable_stats=True,
                x_disable_meta=True,
                disable_git=True,
                disable_code=True,
            ),
        )
        for step, values in run.series:
            written.log(dict(values), step=step)
        written.summary.update(dict(run.finals))
        place = Path(written.dir).parent.name
        written.finish(exit_code=0 if run.status in ("done", "complete", "stopped", "pruned") else 1)
        return place

    def has(self, key: str, known_by: str) -> bool:
        # `wandb sync --clean` removes what it sent: a folder that is gone is no run that is gone.
        return True
