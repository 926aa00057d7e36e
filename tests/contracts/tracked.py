"""What each tracker wrote, read back with the tracker's own reader."""

import csv
import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Read:
    """One run as a tracker has it: the text of each param and tag, metrics by epoch, and final ones."""

    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    series: dict[int, dict[str, float]] = field(default_factory=dict)
    finals: dict[str, float] = field(default_factory=dict)


FINAL = ("final/", "low/", "high/", "fold_low/", "fold_high/")
Runs = list[tuple[str, Read]]
"""(key, run): a list, so that a run that is there twice is seen."""


def read_csv(out: Path, project: str) -> Runs:
    """units.csv, configurations.csv and epochs.csv with the csv module."""
    runs: Runs = []
    for name in ("units", "configurations"):
        for row in csv.DictReader((out / f"{name}.csv").read_text(encoding="utf-8").splitlines()):
            read, key = Read(), row.pop("key")
            for column, cell in row.items():
                if cell and column.startswith(FINAL):
                    read.finals[column] = float(cell)
                elif column.startswith("param/"):
                    read.params[column.removeprefix("param/")] = cell
                else:
                    read.tags[column] = cell
            runs.append((key, read))
    known = dict(runs)
    for row in csv.DictReader((out / "epochs.csv").read_text(encoding="utf-8").splitlines()):
        metrics = {k: float(v) for k, v in row.items() if v and "/" in k}
        assert int(row["epoch"]) not in known[row["key"]].series, "an epoch that is there twice"
        known[row["key"]].series[int(row["epoch"])] = metrics
    return runs


def read_tensorboard(out: Path, project: str) -> Runs:
    """Event files with TensorBoard's own accumulator."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    runs: Runs = []
    for folder in sorted({file.parent for file in out.rglob("*tfevents*")}):
        assert len(list(folder.iterdir())) == 1
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        events.Reload()
        read = Read()
        for tag in events.Tags()["scalars"]:
            for event in events.Scalars(tag):
                place = read.finals if tag.startswith(FINAL) else read.series.setdefault(event.step, {})
                place[tag] = event.value
        for tag, texts in (("params", read.params), ("tags", read.tags)):
            (text,) = events.Tensors(tag)
            for line in text.tensor_proto.string_val[0].decode().splitlines()[2:]:
                name, value = line.strip("| ").partition("` | ")[::2]
                texts[name.strip("`")] = value.replace("&#124;", "|")
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        assert plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        config, name = folder.parent.name, folder.name
        runs.append((config if name == "mean" else f"{config}-{name}", read))
    return runs


def read_mlflow(out: Path, project: str) -> Runs:
    """The SQLite store with MLflow's own client."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{out}/mlflow.db")
    runs: Runs = []
    for run in client.search_runs([client.get_experiment_by_name(project).experiment_id], max_results=1000):
        read = Read(dict(run.data.params), dict(run.data.tags))
        for name, value in run.data.metrics.items():
            if name.startswith(FINAL):
                read.finals[name] = value
                continue
            for metric in client.get_metric_history(run.info.run_id, name):
                read.series.setdefault(metric.step, {})[name] = metric.value
        assert run.info.status != "RUNNING"
        runs.append((run.data.tags["key"], read))
    return runs


def read_trackio(out: Path, project: str) -> Runs:
    """The project's SQLite file through trackio's own storage."""
    os.environ["TRACKIO_DIR"] = str(out)
    from trackio.sqlite_storage import SQLiteStorage

    runs: Runs = []
    for record in SQLiteStorage.get_run_records(project):
        name, identity = str(record["name"]), str(record["id"])
        config: dict[str, Any] = SQLiteStorage.get_run_config(project, name, run_id=identity) or {}
        read = Read()
        for key, value in config.items():
            place = read.tags if key.startswith("tag/") else read.params
            place[key.removeprefix("tag/")] = str(value)
        for row in SQLiteStorage.get_logs(project, name, run_id=identity):
            for metric, value in row.items():
                if "/" in metric:
                    at = read.finals if metric.startswith(FINAL) else read.series.setdefault(row["step"], {})
                    at[metric] = float(value)
        runs.append((identity, read))
    return runs


def read_wandb(out: Path, project: str) -> Runs:
    """The offline files' records, as messages of W&B's own protocol."""
    from wandb.proto.wandb_internal_pb2 import Record

    runs: Runs = []
    for file in sorted(out.glob("wandb/offline-run-*/run-*.wandb")):
        read, key = Read(), ""
        for data in _records(file.read_bytes()):
            record = Record.FromString(data)
            if record.WhichOneof("record_type") == "run":
                key = record.run.run_id
                for item in record.run.config.update:
                    name = item.key or "/".join(item.nested_key)
                    place = read.tags if name.startswith("tag/") else read.params
                    value = json.loads(item.value_json)
                    place[name.removeprefix("tag/")] = str(value)
            elif record.WhichOneof("record_type") == "history":
                values = {
                    i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item
                }
                read.series[int(values["_step"])] = {k: float(v) for k, v in values.items() if "/" in k}
            elif record.WhichOneof("record_type") == "summary":
                for item in record.summary.update:
                    name = item.key or "/".join(item.nested_key)
                    if name.startswith(FINAL):
                        read.finals[name] = float(json.loads(item.value_json))
        runs.append((key, read))
    return runs


def _records(content: bytes) -> Iterator[bytes]:
    """Records of a file in blocks of 32 KiB, each after a header of checksum, length and type; 7 bytes say whose it is."""
    at, whole, block = 7, b"", 32768
    while at + 7 <= len(content):
        if block - at % block < 7:
            at += block - at % block
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


READERS: dict[str, Callable[[Path, str], Runs]] = {
    "csv": read_csv,
    "tensorboard": read_tensorboard,
    "mlflow": read_mlflow,
    "trackio": read_trackio,
    "wandb": read_wandb,
}
