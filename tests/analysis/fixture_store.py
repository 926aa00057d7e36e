"""A small real store: simulated pairs scored by simulated models, written through the schema with pyarrow."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from analysis.metrics import best_f1_threshold, by_cell
from analysis.schema import PREVALENCES, to_table

VAL, TEST, TRAIN = ("K562", "HMEC"), ("NHEK", "Colon"), ("GM12878", "IMR90")
PAIRS = 150


@dataclass
class Design:
    """One configuration of the fixture: how well it ranks, how its R_E acts, and what goes wrong with it."""

    config: str
    changes: dict[str, Any]
    quality: float = 1.2
    gate: float = 0.0
    train_quality: float | None = None
    shift: float = 0.0
    scale: float = 1.0
    loss: float = 0.6
    parameters: int = 20_000
    status: str = "done"
    seed_noise: float = 0.02
    config_json: dict[str, Any] = field(default_factory=dict)


DESIGNS = (
    Design("aaa111", {"energy.form": "linear", "loss.ranking.weight": 0.5}),
    Design("bbb222", {"energy.form": "gated", "loss.ranking.weight": 0.5}, quality=1.3, gate=1.5),
    Design("ccc333", {"energy.form": "linear", "loss.ranking.weight": 1.0}, quality=0.3, train_quality=5.0),
    Design("ddd444", {"energy.form": "gated", "loss.ranking.weight": 1.0}, quality=1.0, gate=1.0),
)


def write(run: Path, table: str, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """One file of a table, atomically as the harness does."""
    folder = run / table
    folder.mkdir(parents=True, exist_ok=True)
    hidden = folder / f".{name}"
    pq.write_table(to_table(table, rows), hidden)
    hidden.rename(folder / name)


def scores(
    cells: Sequence[str], quality: float, gate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """u, logit, label, cell of PAIRS pairs per cell line whose labels follow a gate that differs by cell line."""
    cell = np.repeat(np.asarray(cells), PAIRS)
    strength = np.repeat(np.linspace(0.3, 2.0, len(cells)), PAIRS)
    truth = rng.normal(size=cell.size) * 2
    label = (rng.random(cell.size) < 1 / (1 + np.exp(-truth * strength))).astype(int)
    u = quality * truth + rng.normal(size=cell.size)
    return u, u * strength**gate, label, cell


def cell_rows(
    u: np.ndarray, logit: np.ndarray, label: np.ndarray, cell: np.ndarray, threshold: float, **common: Any
) -> list[dict[str, Any]]:
    """Rows of `cells` for both scores, and for the reported weights at all prevalences."""
    rows = []
    for score, values in (("u_only", u), ("corrected", logit)):
        modes = {"as_found": None} if common["selection"] == "epoch" else PREVALENCES
        for mode, prevalence in modes.items():
            frame = by_cell(values, label, cell, threshold_logit=threshold, prevalence=prevalence)
            for row in frame.to_dict("records"):
                rows.append({**row, **common, "score": score, "prevalence_mode": mode, "protocol": "exact"})
    return rows


def write_unit(run: Path, design: Design, seed: int, fold: str = "chr8", epochs: int = 3) -> None:
    """All tables of one unit."""
    key = {"config": design.config, "fold": fold, "seed": seed}
    name = f"{design.config}-{fold}-{seed}.parquet"
    # Labels and noise depend on fold and seed alone: configurations are paired.
    quality = design.quality * (1 + design.seed_noise * np.random.default_rng([seed, 7]).normal())
    cells, logged = [], []
    for epoch in range(1, epochs + 1):
        reached = quality * epoch / epochs
        rng = np.random.default_rng([seed, len(fold)])
        train = design.train_quality if design.train_quality is not None else reached
        measured = {}
        for split, names in (("train", TRAIN), ("val_unseen", VAL), ("test", TEST)):
            u, logit, label, cell = scores(names, train if split == "train" else reached, design.gate, rng)
            measured[split] = (
                design.scale * u + design.shift,
                design.scale * logit + design.shift,
                label,
                cell,
            )
        threshold = best_f1_threshold(measured["val_unseen"][1], measured["val_unseen"][2])
        for split in ("train", "val_unseen"):
            cells += cell_rows(
                *measured[split], threshold, **key, epoch=epoch, selection="epoch", split=split
            )
        if epoch == epochs and design.status == "done":
            for split in ("val_unseen", "test"):
                for selection in ("best_on_validation", "last"):
                    cells += cell_rows(
                        *measured[split], threshold, **key, epoch=epoch, selection=selection, split=split
                    )
        macro = [
            row["aupr"]
            for row in cells
            if (row["epoch"], row["split"], row["cell_line"]) == (epoch, "train", "macro")
            and (row["score"], row["prevalence_mode"]) == ("corrected", "as_found")
        ]
        logged.append(
            {**key, "epoch": epoch, "phase": 2, "step": 10 * epoch, "loss": design.loss - 0.1 * epoch}
        )
        logged[-1]["train_aupr"] = macro[0]
    content = {"energy": {"form": design.changes.get("energy.form", "linear")}, "limits": {}}
    if content["energy"]["form"] == "gated":
        content["energy"]["w"] = 1.0
    content["loss"] = {"ranking": {"weight": design.changes.get("loss.ranking.weight", 0.0)}}
    content |= design.config_json
    trial = {**key, "status": design.status, "epochs": epochs, "selected_epoch": epochs}
    trial |= {"selection": "best_on_validation", "objective": "val_unseen/macro/aupr"}
    trial |= {"parameters": design.parameters, "train_pairs": 4000, "device": "cpu", "rank_invariant": True}
    trial |= {"config_json": json.dumps(content), "changes_json": json.dumps(design.changes)}
    write(run, "epochs", name, logged)
    write(run, "cells", name, cells)
    write(
        run,
        "terms",
        name,
        [{**key, "epoch": 1, "term": "task", "value": 0.6, "weight": 1.0, "weighted": 0.6}],
    )
    write(run, "warnings", name, [])
    write(run, "trials", name, [trial])


def write_run(
    run: Path,
    designs: Sequence[Design] = DESIGNS,
    seeds: Sequence[int] = (0, 1, 2),
    folds: Sequence[str] = ("chr8",),
) -> Path:
    """A whole run with baselines."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "sweep.yaml").write_text("name: fixture\n", encoding="utf-8")
    (run / "plan.json").write_text("{}", encoding="utf-8")
    for design in designs:
        for fold in folds:
            for seed in seeds:
                write_unit(run, design, seed, fold)
    for fold in folds:
        rows = []
        for baseline, aupr in (("promoter_boosting", 0.63), ("distance", 0.52)):
            for split in ("val_unseen", "test"):
                for cell in ("macro", "pooled"):
                    row = {"baseline": baseline, "fold": fold, "split": split, "cell_line": cell, "n": 300}
                    rows.append({**row, "prevalence": 0.5, "aupr": aupr, "auc": aupr, "nll": 0.68})
        write(run, "baselines", f"{fold}.parquet", rows)
    return run
