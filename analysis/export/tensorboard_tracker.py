"""TensorBoard event files, by the writer of the package tensorboard (no torch and no TensorFlow)."""

import io
import json
import os
import shutil
import time
from typing import Any

from analysis.export.tracked import TrackedRun
from analysis.export.tracker import Tracker


class TensorboardTracker(Tracker):
    """One folder with one event file per tracked run, `<config>/<fold>-<seed>` and `<config>/mean`.

    Scalars: every metric at its epoch, final ones at step 0. Hyperparameters (the tab HParams): the changed keys. Text:
    all keys, and tags. A file is written whole and then renamed.
    """

    key = "tensorboard"
    client = "tensorboard"
    opened = "tensorboard --logdir {out}"

    def write(self, run: TrackedRun, before: str | None) -> str:
        config = run.tags["config"]
        place = f"{config}/{run.tags['fold']}-{run.tags['seed']}" if run.kind == "unit" else f"{config}/mean"
        folder = self.out / place
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        draft = folder / ".draft"
        with draft.open("wb") as stream:
            stream.write(_events(run))
            stream.flush()
            os.fsync(stream.fileno())
        size = draft.stat().st_size
        draft.rename(folder / f"events.out.tfevents.{int(_seconds(run))}.store")
        return f"{place} {size}"

    def has(self, key: str, known_by: str) -> bool:
        place, size = known_by.rsplit(" ", 1)
        files = (self.out / place).glob("events.out.tfevents.*.store")
        return [file.stat().st_size for file in files] == [int(size)]


def _events(run: TrackedRun) -> bytes:
    """The records of an event file."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.plugins.text.summary_v2 import text_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer, began = io.BytesIO(), _seconds(run)
    writer = RecordWriter(buffer)
    writer.write(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())
    hparams = {path: _hparam(value) for path, value in run.changed.items()}
    texts = {"params": _table(run.params), "tags": _table(run.tags)}
    summaries = [hparams_pb(hparams or {"base": True}, trial_id=run.key, start_time_secs=began)]
    summaries += [text_pb(name, text) for name, text in texts.items()]
    for summary in summaries:
        event = Event(wall_time=began, step=0)
        event.summary.MergeFromString(summary.SerializeToString())
        writer.write(event.SerializeToString())
    elapsed = run.elapsed()
    for step, values in [*run.series, (0, run.finals)]:
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        event = Event(wall_time=began + elapsed[step], step=step, summary=Summary(value=scalars))
        writer.write(event.SerializeToString())
    return buffer.getvalue()


def _seconds(run: TrackedRun) -> float:
    return run.started.timestamp() if run.started is not None else time.time()


def _hparam(value: Any) -> bool | float | str:
    if isinstance(value, (bool, str)):
        return value
    return float(value) if isinstance(value, (int, float)) else json.dumps(value)


def _table(values: Any) -> str:
    """A Markdown table of names and values."""
    rows = (f"| `{name}` | {str(value).replace('|', '&#124;')} |" for name, value in values.items())
    return "\n".join(["| key | value |", "|---|---|", *rows])
