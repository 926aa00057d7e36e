"""trackio, into a local project: SQLite files that `trackio show` reads, through trackio's own storage."""

import os
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from analysis.errors import UserError
from analysis.export.tracked import TrackedRun
from analysis.export.tracker import Tracker

CREATED, GROUP = "_Created", "_Group"
"""Keys of a trackio configuration that its page reads."""


class TrackioTracker(Tracker):
    """One project per run folder, `OUT/<project>.db`; no server is started and nothing leaves the machine.

    A run's configuration has all keys of the configuration and, under `tag/`, the tags. Metrics are at their epoch, final
    ones at step 0; the runs of one configuration are a group.
    """

    key = "trackio"
    client = "trackio"
    shared = True
    opened = "TRACKIO_DIR={out} trackio show"

    def __init__(self, out: Path, project: str) -> None:
        super().__init__(out, project)
        os.environ["TRACKIO_DIR"] = str(out)  # read once, when trackio is imported
        from trackio.sqlite_storage import SQLiteStorage
        from trackio.utils import TRACKIO_DIR

        if Path(TRACKIO_DIR) != out:
            raise UserError(
                f"trackio writes to {TRACKIO_DIR} in this process already; export to {out} from another one"
            )
        self._storage = SQLiteStorage
        try:
            self._storage.init_db(project)
        except ValueError as error:
            raise UserError(f"trackio takes no project of the name '{project}': {error}") from None

    def write(self, run: TrackedRun, before: str | None) -> str:
        self._storage.delete_run(self.project, run.name, run.key)
        began = run.started or datetime.now(UTC)
        elapsed = run.elapsed()
        steps = [*run.series, (0, run.finals)]
        config: dict[str, Any] = {CREATED: began.isoformat(), GROUP: run.tags["config"], **run.params}
        config |= {f"tag/{name}": value for name, value in run.tags.items()}
        config["tag/changed"] = ", ".join(f"{path}={value}" for path, value in run.changed.items())
        self._storage.bulk_log(
            self.project,
            run.name,
            [dict(values) for _, values in steps],
            steps=[step for step, _ in steps],
            timestamps=[(began + timedelta(seconds=elapsed[step])).isoformat() for step, _ in steps],
            config=config,
            run_id=run.key,
        )
        return run.key

    def has(self, key: str, known_by: str) -> bool:
        return known_by in self._there

    @cached_property
    def _there(self) -> frozenset[str]:
        """Runs that the project had at the first look."""
        return frozenset(str(record["id"]) for record in self._storage.get_run_records(self.project))
