"""Ranking a large run: compacted against one file per unit and table."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from analysis.ranking import Ranking, rank
from analysis.schema import COMPACTED, PART, PART_UNITS, PREVALENCES
from analysis.store import Run
from harness.bench.measurement import Measurement, timed
from harness.store.compaction import AT_ONCE, Compactor
from harness.store.writer import RunWriter

SEEDS, EPOCHS = 5, 10
SECONDS, FULL, LIMIT = "processor s", 10_000, 5.0
"""What is limited, the units from which on it is, and to how much."""
SEEN = tuple(f"seen{number}" for number in range(6))
LINES = {"train": SEEN, "val_seen": SEEN, "val_unseen": ("unseen",), "test": ("tested",)}
SCALED = ("aupr", "auc", "f1", "precision", "recall", "f1_oracle", "threshold_oracle", "nll", "brier", "ece")
SPREAD = {"logit_sd": 1.0, "probability_sd": 0.2}
METRICS = (*SCALED, *SPREAD)


def bench_ranking(units: int) -> Measurement:
    """Rank a made-up run of `units` units (5 seeds per configuration, 8 cell lines, 10 epochs).

    The plain way reads one file per unit and table. It is timed on the first part's worth of units and multiplied,
    since tens of thousands of files take minutes to write; the rankings of both ways of these units are compared.
    """
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        single, few, many = (Path(folder) / name for name in ("single", "few", "many"))
        count = min(AT_ONCE, units)
        for run in (single, few, many):
            names = make_units(run, count)
            if run is not single:
                compactor = Compactor(run, at_once=count)
                compactor.collect(names)
                compactor.finish()
        multiply(many, units // count)
        expected, measured = rank(Run.open(single)), rank(Run.open(few))
        plain = timed(lambda: rank(Run.open(single)), cpu).times(units / count)
        fast = timed(lambda: rank(Run.open(many)), cpu)
        size = sum(file.stat().st_size for file in many.rglob("*.parquet"))
    return Measurement(
        name=f"ranking of {units // SEEDS} configurations x {SEEDS} seeds x 8 cell lines",
        plain=plain,
        fast=fast,
        required=None,
        differences={"ranking values": _apart(expected, measured), SECONDS: fast.cpu},
        limits={"ranking values": 0.0, **({SECONDS: LIMIT} if units >= FULL else {})},
        notes={
            "seconds on the clock": fast.wall,
            "load": os.getloadavg()[0],
            "plain way measured on": f"{count} units",
            "kB per unit": size / 1000 / units,
        },
    )


def make_units(run: Path, units: int) -> list[str]:
    """Write made-up rows of `units` units in all tables, one file each; returns their names."""
    writer, names = RunWriter(run), []
    writer.write_json("plan.json", {"configs": []})
    for number in range(units):
        config, seed = f"c{number // SEEDS:011d}", number % SEEDS
        names.append(f"{config}-fold0-{seed}")
        key = {"config": config, "fold": "fold0", "seed": seed}
        for table, rows in _rows(np.random.default_rng([number, 1]), number // SEEDS).items():
            writer.write(table, names[-1], [{**key, **row} for row in rows])
    return names


def multiply(run: Path, parts: int) -> None:
    """Copy the first part of every table under further names, each with configurations of its own, whose metrics are a
    little apart: configurations that agree in every digit are a fault that a run has once or never, not in each."""
    for table in COMPACTED:
        first = run / table / f"{PART}{1:07d}.parquet"
        for number in range(2, parts + 1) if first.exists() else ():
            with pq.ParquetFile(first) as source:
                schema = source.schema_arrow
                renamed = [_renamed(name, number) for name in json.loads(schema.metadata[PART_UNITS])]
                metadata = {**schema.metadata, PART_UNITS: json.dumps(renamed).encode()}
                target = first.with_name(f"{PART}{number:07d}.parquet")
                with pq.ParquetWriter(target, schema.with_metadata(metadata), compression="zstd") as writer:
                    for group in range(source.num_row_groups):
                        rows = source.read_row_group(group)
                        configs = [_renamed(name, number) for name in rows["config"].to_pylist()]
                        rows = rows.set_column(0, schema.field(0), pa.array(configs, pa.string()))
                        for name in METRICS if table == "cells" else ():
                            moved = pc.multiply(rows[name], 1 - 1e-6 * number)
                            rows = rows.set_column(schema.get_field_index(name), schema.field(name), moved)
                        writer.write_table(rows)


def _renamed(name: str, part: int) -> str:
    return f"p{part:05d}{name[6:]}"


def _rows(rng: np.random.Generator, configuration: int) -> dict[str, list[dict[str, Any]]]:
    quality = 0.6 + 0.1 * np.sin(configuration)
    changes = {
        "loss.ranking.weight": float(np.cos(configuration)),
        "energy.form": ["linear", "gated"][configuration % 2],
    }
    content = {
        "limits": {},
        "support": {"labels": False},
        "loss": {"ranking": {"weight": changes["loss.ranking.weight"]}},
    }
    trial = {
        "status": "done", "epochs": EPOCHS, "selected_epoch": EPOCHS, "objective": "val_unseen/macro/aupr",
        "objective_value": quality, "parameters": 20_000, "train_pairs": 4_000, "rank_invariant": False,
        "config_json": json.dumps(content), "changes_json": json.dumps(changes),
    }  # fmt: skip
    return {
        "units": [trial],
        "epochs": [
            {"epoch": epoch, "phase": 2, "loss": 1 / epoch, "train_aupr": quality + 0.02 * epoch}
            for epoch in range(1, EPOCHS + 1)
        ],
        "terms": [
            {"epoch": epoch, "term": term, "value": 0.5, "weight": 1.0, "weighted": 0.5, "grad_share": 0.1}
            for epoch in range(1, EPOCHS + 1)
            for term in ("task", "ranking", "contrastive", "orthogonal")
        ],
        "cells": list(_cells(rng, quality)),
        "warnings": [],
    }


def _cells(rng: np.random.Generator, quality: float) -> Iterator[dict[str, Any]]:
    """Every epoch's rows as found, and the final ones at every prevalence."""
    evaluations = [(epoch, "epoch", ["as_found"]) for epoch in range(1, EPOCHS + 1)]
    evaluations += [(EPOCHS, selection, list(PREVALENCES)) for selection in ("best_on_validation", "last")]
    for epoch, selection, prevalences in evaluations:
        for split, lines in LINES.items():
            if selection == "epoch" and split == "test":
                continue
            for score in ("u_only", "corrected"):
                for line in ("macro", "pooled", *lines):
                    for mode in prevalences:
                        value = quality + 0.02 * rng.standard_normal()
                        yield {
                            "epoch": epoch, "selection": selection, "split": split, "cell_line": line,
                            "score": score, "prevalence_mode": mode, "protocol": "exact", "n": 600,
                            "positives": 300, "prevalence": 0.5, "threshold": 0.5, **dict.fromkeys(SCALED, value),
                            **{name: value * scale for name, scale in SPREAD.items()},
                        }  # fmt: skip


def _apart(expected: Ranking, measured: Ranking) -> float:
    """Largest difference of the values of two rankings, configuration by configuration."""
    one, other = (ranking.configurations.set_index("config")["value"] for ranking in (expected, measured))
    return float((one - other.loc[one.index]).abs().max())
