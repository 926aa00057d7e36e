"""Copies of the recorded run's units under other names, edited where a test asks for what the run does not have."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.schema import ALWAYS, KEYS, TABLES, to_table

RUN = Path(__file__).parent / "run"
"""The recorded run: energy.form linear and gated by loss.ranking.weight 0.5 and 1.0, three seeds on one fold."""
FOLD_LIFT = {"chr8": 0.0}
"""Fold -> what is added to every score on it, so that folds differ; 0.01 for another one."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Copy:
    """A configuration made of recorded units, and what is edited in them.

    config: its name; changes: what it says that it changes, and does in its settings. form: the energy of the recorded
    units that it has, at weight 0.5. lift: added to AUPR and AUC of the unseen splits, and taken from the negative
    log-likelihood, one number or one per seed; steady: seed 0 stands for every seed. train: AUPR of the training pairs
    at every epoch. lines: recorded name -> name of a cell line. status: of its units; one that is not done has no final
    evaluation. unit, settings, epoch: columns of `units`, keys of the settings and columns of `epochs` to replace.
    """

    config: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    form: str = "linear"
    lift: float | tuple[float, ...] = 0.0
    steady: bool = False
    train: float | None = None
    lines: Mapping[str, str] = field(default_factory=dict)
    status: str = "done"
    unit: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    epoch: Mapping[str, Any] = field(default_factory=dict)


WEIGHT = "loss.ranking.weight"
COPIES = (
    Copy("aaa111", {"energy.form": "linear", WEIGHT: 0.5}),
    Copy("bbb222", {"energy.form": "gated", WEIGHT: 0.5}, "gated", lift=0.2),
    Copy("ccc333", {"energy.form": "linear", WEIGHT: 1.0}, lift=-0.2, train=0.98),
    Copy("ddd444", {"energy.form": "gated", WEIGHT: 1.0}, "gated", lift=0.15),
)
"""The gated energy wins at both weights, and one configuration is overfitted."""


def write(run: Path, table: str, name: str, rows: Sequence[Row]) -> None:
    """One file of a table, atomically as the harness does."""
    folder = run / table
    folder.mkdir(parents=True, exist_ok=True)
    hidden = folder / f".{name}"
    pq.write_table(to_table(table, rows), hidden)
    hidden.rename(folder / name)


def recorded(table: str, form: str, seed: int) -> list[Row]:
    """Rows of one recorded unit of weight 0.5."""
    whole = _table(table)
    of_unit = pc.and_(pc.equal(whole["config"], _names()[form]), pc.equal(whole["seed"], seed))
    return list(whole.filter(of_unit).to_pylist())


def write_unit(run: Path, copy: Copy, seed: int, fold: str = "chr8") -> None:
    """All tables of one unit of a copy."""
    key = dict(zip(KEYS, (copy.config, fold, seed), strict=True))
    tables = {name: recorded(name, copy.form, 0 if copy.steady else seed % 3) for name in ALWAYS}
    (unit,) = tables["units"]
    settings = {**_with(json.loads(unit["config_json"]), copy.changes), **copy.settings}
    unit |= {"status": copy.status, "config_json": json.dumps(settings), **copy.unit}
    unit["changes_json"] = json.dumps(dict(copy.changes))
    for row in tables["epochs"]:
        row |= {**copy.epoch, **({} if copy.train is None else {"train_aupr": copy.train})}
    lift = FOLD_LIFT.get(fold, 0.01) + (copy.lift[seed] if isinstance(copy.lift, tuple) else copy.lift)
    shown = [row for row in tables["cells"] if copy.status == "done" or row["selection"] == "epoch"]
    tables["cells"] = [_lifted(row, lift, copy) for row in shown]
    tables["warnings"] = []
    for name, rows in tables.items():
        write(run, name, f"{copy.config}-{fold}-{seed}.parquet", [row | key for row in rows])


def write_run(
    run: Path,
    copies: Sequence[Copy] = COPIES,
    seeds: Sequence[int] = (0, 1, 2),
    folds: Sequence[str] = ("chr8",),
) -> Path:
    """A whole run of copies with the recorded baselines on every fold."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "plan.json").write_text("{}", encoding="utf-8")
    for fold in folds:
        for copy in copies:
            for seed in seeds:
                write_unit(run, copy, seed, fold)
        write(
            run,
            "baselines",
            f"{fold}.parquet",
            [{**r, "fold": fold} for r in _table("baselines").to_pylist()],
        )
    return run


@cache
def _table(name: str) -> Any:
    return pq.read_table(RUN / name, schema=TABLES[name], partitioning=None)


@cache
def _names() -> dict[str, str]:
    """Energy form -> name of the recorded configuration of weight 0.5."""
    changes = {row["config"]: json.loads(row["changes_json"]) for row in _table("units").to_pylist()}
    return {each["energy.form"]: name for name, each in changes.items() if each["loss.ranking.weight"] == 0.5}


def _with(settings: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings at which the dotted paths of `changes` have their values."""
    for path, value in changes.items():
        block, *keys = (settings, *path.split("."))
        for key in keys[:-1]:
            block = block.setdefault(key, {})
        block[keys[-1]] = value
    return settings


def _lifted(row: Row, lift: float, copy: Copy) -> Row:
    row["cell_line"] = copy.lines.get(row["cell_line"], row["cell_line"])
    if row["split"] == "train":
        return row if copy.train is None else row | {"aupr": copy.train, "auc": copy.train}
    moved = {name: min(max(row[name] + lift, 0.0), 1.0) for name in ("aupr", "auc")}
    return row | moved | {"nll": max(row["nll"] - lift, 0.0)}
