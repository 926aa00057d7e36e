"""Units of a run whose weights are still there."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch

from analysis.errors import UserError, nearest
from analysis.files import TableFiles
from analysis.metrics import fit_temperature
from analysis.output import counted
from analysis.reported import REPORTED, statuses
from analysis.schema import TABLES
from analysis.store import Run
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.use import UseFile, load_use
from harness.trained.trained_unit import FittedCalibration, TrainedUnit
from harness.trial.checkpoint import Checkpoints, Damaged

KEPT = (
    "weights stay in RUN/checkpoints until python -m harness.runs prune removes them, and combine leaves them where they "
    "are: train it again, or predict with the run that has them; python -m harness.runs export-model keeps them apart"
)


@dataclass(frozen=True)
class KeptUnits:
    """`units` of one configuration that can score pairs, and `lacking`: why others cannot, in sentences."""

    config: str
    units: list[TrainedUnit]
    lacking: list[str]

    @classmethod
    def of(cls, run: Run, config: str, *, only: str | None = None, fold: str | None = None) -> "KeptUnits":
        """Those of a configuration (its identity) that ended well; `only`: one unit by its name, `fold`: those of one fold
        by its name.

        Raises
        ------
        UserError
            for a fold that none is of, and where no unit can score pairs, with how weights are kept.
        """
        load_use(_brought(run.path))
        rows = run.table("units").assign(state=statuses(run))
        rows = rows[rows["config"] == config]
        entries = [
            {**row, "unit": _name(row)}
            for row in ({str(key): value for key, value in each.items()} for each in rows.to_dict("records"))
        ]
        entries = [row for row in entries if only in (None, row["unit"])]
        if fold is not None:
            names = [json.loads(row["fold_json"])["name"] for row in entries]
            if fold not in names:
                raise UserError(
                    f"--fold {fold}: {config} was trained on {', '.join(dict.fromkeys(names))}{nearest(fold, names)}"
                )
            entries = [row for row, name in zip(entries, names, strict=True) if name == fold]
        units, lacking = [], []
        for row in sorted(entries, key=lambda row: (row["fold"], row["seed"])):
            try:
                units.append(_trained(run, row))
            except UserError as error:
                lacking.append(str(error))
        if not units:
            raise UserError(
                f"{run.path}: no unit of {config} can score pairs ({lacking[0] if lacking else 'it has none'})"
            )
        return cls(config, units, lacking)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['config']}-{row['fold']}-{row['seed']}"


def _brought(run: Path) -> Iterable[UseFile]:
    """The files that a person brought to the run, the newest of each name."""
    copies = sorted((run / "use").glob("[!.]*.py"), key=lambda file: file.stat().st_mtime_ns)
    newest = {file.stem.rpartition("-")[0]: file for file in copies}
    return [
        UseFile(str(file.with_name(f"{name}.py").absolute()), file.read_text(encoding="utf-8"))
        for name, file in newest.items()
    ]


def _trained(run: Run, row: Mapping[str, Any]) -> TrainedUnit:
    """The unit of a row of `units`, with its `unit` and `state`; UserError where it cannot score pairs."""
    unit = row["unit"]
    if row["state"] not in REPORTED or row["selected_epoch"] != row["selected_epoch"]:
        raise UserError(f"unit {unit} is {row['state']}, and has no weights that were evaluated")
    config = ConfigurationBlock.model_validate(json.loads(row["config_json"]))
    if config.frozen:
        raise UserError(
            f"unit {unit} was trained on cached features of a frozen sequence side, and scores no other pairs: train the "
            "configuration in full"
        )
    epoch = int(row["selected_epoch"])
    try:
        kept = Checkpoints(run.path / "checkpoints" / unit).load(f"epoch-{epoch}", torch.device("cpu"))
    except Damaged as error:
        raise UserError(f"checkpoints/{unit}/{error}; {KEPT}") from None
    if kept is None:
        raise UserError(f"checkpoints/{unit}/epoch-{epoch}.pt is not there; {KEPT}")
    if "facts" not in kept:
        raise UserError(
            f"checkpoints/{unit}/epoch-{epoch}.pt is of a program that did not keep which cell lines were trained on; "
            "train it again"
        )
    ledger = _rows(run, "ledger", unit).to_pylist()
    if len(ledger) != 1:
        raise UserError(f"unit {unit} has {counted(len(ledger), 'row')} of the table ledger, expected one")
    weights = {name: kept[name] for name in ("model", "reference", "memory")}
    trained = TrainedUnit(
        name=unit,
        config=config,
        fold=json.loads(row["fold_json"]),
        seed=int(row["seed"]),
        epoch=epoch,
        fitted=None,
        calibration=_calibration(run, unit),
        weights=weights,
        **kept["facts"],
    )
    if config.temperature.mode != "calibrated" or ledger[0]["phase"] == 1:
        return trained
    learned = float(trained.model.temperature(None, 1).detach())
    return replace(trained, fitted=float(ledger[0]["temperature"]) / learned)


def _rows(run: Run, table: str, unit: str) -> pa.Table:
    files = TableFiles(run.path / table, run.problems, run.lost)
    return files.read(TABLES[table], units=frozenset({unit}))


def _calibration(run: Run, unit: str) -> FittedCalibration:
    """Fitted on what the unit predicted of the unseen validation pairs; T is 1 where that is undefined."""
    rows = _rows(run, "predictions", unit)
    rows = rows.filter(pc.equal(rows["split"], "val_unseen"))
    logit, label = rows["logit"].to_numpy(), rows["label"].to_numpy()
    if not len(logit):
        raise UserError(
            f"unit {unit} has no predictions of val_unseen, on which probabilities are calibrated"
        )
    fitted = fit_temperature(logit, label)
    return FittedCalibration(1.0 if fitted != fitted else fitted, float(label.mean()))
