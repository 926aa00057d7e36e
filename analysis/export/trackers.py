"""The trackers that there are, by the name that --to and `track` take."""

from analysis.errors import UserError, nearest
from analysis.export.csv_tracker import CsvTracker
from analysis.export.mlflow_tracker import MlflowTracker
from analysis.export.tensorboard_tracker import TensorboardTracker
from analysis.export.tracker import Tracker
from analysis.export.trackio_tracker import TrackioTracker
from analysis.export.wandb_tracker import WandbTracker

TRACKERS: dict[str, type[Tracker]] = {
    tracker.key: tracker
    for tracker in (CsvTracker, TensorboardTracker, MlflowTracker, TrackioTracker, WandbTracker)
}
"""Name -> class; no client is imported before a tracker is made."""


def tracker_class(key: str) -> type[Tracker]:
    """The tracker of that name; UserError with the nearest name for any other."""
    if key not in TRACKERS:
        raise UserError(f"unknown tracker '{key}'{nearest(key, TRACKERS)} (known: {', '.join(TRACKERS)})")
    return TRACKERS[key]
