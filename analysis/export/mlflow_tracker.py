"""MLflow, into a local SQLite store through MLflow's own client."""

import re
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from analysis.export.tracked import TrackedRun
from analysis.export.tracker import Tracker

METRICS, PARAMS = 1000, 100
"""What MLflow takes in one call."""
LONGEST_PARAM, LONGEST_TAG = 6000, 8000
ENDS = {"done": "FINISHED", "complete": "FINISHED", "stopped": "FINISHED", "pruned": "KILLED"}
"""Status in the store -> MLflow's; all others have FAILED."""


class MlflowTracker(Tracker):
    """`OUT/mlflow.db` with one experiment per run folder. Params are all keys of the configuration; the tag `changed` has
    those that it changes; metrics are at their epoch, final ones at step 0. What is written anew replaces the older
    MLflow run, which is deleted (MLflow keeps deleted ones until `mlflow gc`).

    The client is mlflow-skinny or mlflow; skinny stands beside any pyarrow, and has no page to look at runs with.
    """

    key = "mlflow"
    client = "mlflow"
    packages = "mlflow-skinny"
    shared = True
    opened = "mlflow ui --backend-store-uri sqlite:///{out}/mlflow.db"

    def __init__(self, out: Path, project: str) -> None:
        super().__init__(out, project)
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=f"sqlite:///{out}/mlflow.db")
        known = self._client.get_experiment_by_name(project)
        folder = (out / "artifacts").absolute().as_uri()
        self._experiment = (
            known.experiment_id
            if known
            else self._client.create_experiment(project, artifact_location=folder)
        )

    def write(self, run: TrackedRun, before: str | None) -> str:
        from mlflow.entities import Metric, Param

        for old in self._runs_of(run.key):
            self._client.delete_run(old)
        began, elapsed = _milliseconds(run.started) or 0, run.elapsed()
        tags = {"key": run.key, **run.tags, "changed": ", ".join(f"{k}={v}" for k, v in run.changed.items())}
        created = self._client.create_run(
            self._experiment,
            start_time=began,
            run_name=run.name,
            tags={name: value[:LONGEST_TAG] for name, value in tags.items()},
        )
        run_id: str = created.info.run_id
        params = [Param(spelt(path), str(value)[:LONGEST_PARAM]) for path, value in run.params.items()]
        metrics = [
            Metric(spelt(name), value, began + int(1000 * elapsed[step]), step)
            for step, values in [*run.series, (0, run.finals)]
            for name, value in values.items()
        ]
        for at in range(0, len(params), PARAMS):
            self._client.log_batch(run_id, params=params[at : at + PARAMS])
        for at in range(0, len(metrics), METRICS):
            self._client.log_batch(run_id, metrics=metrics[at : at + METRICS])
        self._client.set_tag(run_id, "exported", "whole")
        self._client.set_terminated(run_id, ENDS.get(run.status, "FAILED"), _milliseconds(run.finished))
        return run_id

    def has(self, key: str, known_by: str) -> bool:
        return known_by in self._there

    @cached_property
    def _there(self) -> frozenset[str]:
        """Runs that the experiment had at the first look."""
        known: list[str] = []
        page: Any = None
        while page is None or page.token:
            page = self._client.search_runs([self._experiment], page_token=page.token if page else None)
            known += [run.info.run_id for run in page]
        return frozenset(known)

    def _runs_of(self, key: str) -> list[str]:
        """Runs of this key that are there, those included that an export did not come to note."""
        matching = f"tags.key = '{key}'"
        return [run.info.run_id for run in self._client.search_runs([self._experiment], matching)]


def spelt(name: str) -> str:
    """A name with characters that MLflow refuses written as their code point: `_2b_` for `+`."""
    return re.sub(r"[^\w\-. :/]", lambda match: f"_{ord(match[0]):x}_", name, flags=re.ASCII)


def _milliseconds(moment: datetime | None) -> Any:
    return int(1000 * moment.timestamp()) if moment is not None else None
