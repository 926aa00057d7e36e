"""`prune`: removes checkpoints that no resume needs."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import UserError
from analysis.paths import driven
from analysis.schema import KEYS, LOCK
from analysis.store import Run
from analysis.unit_log import ENDED
from harness.runs.summary import bytes_of
from harness.store.storage import writing
from harness.sweep.run.lock import only_driver

FOLDER = "checkpoints"


@dataclass(frozen=True)
class PrunableCheckpoints:
    """Folders of checkpoints to `remove`, of units that ended with a result; those that are `kept`, since their units are
    unfinished or failed and --resume goes on from them. With their bytes."""

    remove: tuple[Path, ...]
    remove_bytes: int
    kept: tuple[Path, ...]
    kept_bytes: int

    @classmethod
    def of(cls, run: Run) -> "PrunableCheckpoints":
        """Those of a run.

        Raises
        ------
        UserError
            where units cannot be read: what is unknown may be unfinished.
        """
        rows = run.columns("units", [*KEYS, "status"])
        if run.lost:
            raise UserError(
                f"{run.path}: {run.lost[0]}; nothing is pruned, since it may be what a resume needs"
            )
        ended = {
            f"{row['config']}-{row['fold']}-{row['seed']}"
            for row in rows.to_dict("records")
            if row["status"] in ENDED
        }
        folder = run.path / FOLDER
        units = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        remove = tuple(path for path in units if path.name in ended)
        kept = tuple(path for path in units if path.name not in ended)
        return cls(remove, sum(map(bytes_of, remove)), kept, sum(map(bytes_of, kept)))


def prune(path: Path, *, dry_run: bool) -> PrunableCheckpoints:
    """Remove the checkpoints of ended units; `dry_run` looks only. Rows, logs and verdicts stay.

    Raises
    ------
    UserError
        for a run in which a sweep is running, and as `PrunableCheckpoints.of`.
    """
    run = Run.open(path)
    if driven(run.path):
        raise UserError(f"{run.path}: a sweep is running in this folder; prune it when it has ended")
    if dry_run:
        return PrunableCheckpoints.of(run)
    of_sweep = (run.path / LOCK).exists()
    with only_driver(run.path.absolute()), writing(run.path):
        checkpoints = PrunableCheckpoints.of(run)
        for folder in checkpoints.remove:
            shutil.rmtree(folder)
        if not of_sweep:
            # In a run that no driver ever held, a lock would make its running trial look abandoned.
            (run.path / LOCK).unlink()
    return checkpoints
