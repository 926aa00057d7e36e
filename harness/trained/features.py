"""Features of a trained unit's sequence side for every pair of its fold, computed once and kept beside the run."""

import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analysis.errors import UserError
from analysis.reported import statuses
from analysis.store import Run
from harness.data.bases import PAD
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.data.frozen import FrozenFeatures, stored_content, write_features
from harness.data.publishing import locked, publish
from harness.store.storage import writing
from harness.store.writer import replace_atomically
from harness.trained.kept_units import KeptUnits
from harness.trained.trained_unit import TrainedUnit
from harness.trial.episodes.batches import encode_pairs
from models.prism import PrismModel

FOLDER = "features"
"""Folder of a run with the features of its units."""
CHUNK = 8192
"""Pairs between two writings: what a kill costs."""


def features_of(
    run: Path, config: str, fold: Fold, seed: int, dataset: EncodedDataset, device: torch.device
) -> FrozenFeatures:
    """z_I of every distinct pair in the splits of a fold by the selected weights of unit (config, fold, seed) of `run`:
    opened where they are there, else computed, once by however many processes ask for it; what was computed before a kill
    is kept.

    Raises
    ------
    UserError
        for a unit that did not end as `done`, or whose weights are gone; for features that are damaged, or of
        another unit or data.
    """
    name = f"{config}-{fold.id}-{seed}"
    final = run / FOLDER / name
    with writing(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        with locked(final.parent / f"{name}.lock"):
            if not final.is_dir():
                _compute(run, config, name, fold, dataset, device, final)
    features = FrozenFeatures.open(final)
    if len(features.row) != len(dataset) or _data(final) != dataset.hash:
        raise UserError(
            f"{final}: the features are of other data; delete that folder, and the next start computes them again"
        )
    if features.unit != name:
        raise UserError(
            f"{final}: the features are those of unit {features.unit}; delete that folder, and the next start computes "
            "them again"
        )
    return features


def kept_features(run: Path) -> dict[tuple[str, int], str]:
    """Digest of the features of every (fold, seed) of a run that has them; of other weights than the unit's own today they
    are removed."""
    kept = {}
    for folder in sorted((run / FOLDER).glob("*-*")):
        content = stored_content(folder) if folder.is_dir() and not folder.name.endswith(".making") else None
        if content is None:
            continue
        config, fold, seed = folder.name.split("-")
        if content["checkpoint"] == _checkpoint(run, config, fold, int(seed)):
            kept[fold, int(seed)] = str(content["digest"])
        else:
            shutil.rmtree(folder)
    return kept


def refuse_unfinished(run: Path, config: str) -> None:
    """Raise UserError where a unit of the configuration did not end as `done`: its sequence side cannot be frozen."""
    stored = Run(run)
    units = stored.table("units").assign(state=statuses(stored))
    units = units[units["config"] == config]
    for row in units[units["state"] != "done"].to_dict("records"):
        why = f" ({row['reason']})" if row["reason"] else ""
        raise UserError(
            f"{run}: the sequence side of unit {config}-{row['fold']}-{row['seed']} cannot be frozen, since it is "
            f"{row['state']}{why}; mend its configuration, the base of the sweep, or start again with --resume"
        )


def _compute(
    run: Path, config: str, name: str, fold: Fold, dataset: EncodedDataset, device: torch.device, final: Path
) -> None:
    refuse_unfinished(run, config)
    (unit,) = KeptUnits.of(Run(run), config, only=name).units
    splits = split(dataset, fold)
    pairs = np.unique(np.concatenate([splits.train, splits.val_seen, splits.val_unseen, splits.test]))
    _, first, number = np.unique(
        dataset.enhancer_row[pairs].astype(np.int64) * len(dataset.promoters) + dataset.promoter_row[pairs],
        return_index=True,
        return_inverse=True,
    )
    row = np.full(len(dataset), -1, dtype=np.int32)
    row[pairs] = number
    checkpoint = _checkpoint(run, config, fold.id, unit.seed)
    content = {"unit": name, "side": config, "checkpoint": checkpoint, "data": dataset.hash}
    making = final.with_name(f"{name}.making")
    z_i = _encoded(unit, dataset, pairs[first], device, making, str(checkpoint))
    publish(final, lambda folder: write_features(folder, content, z_i, row))
    shutil.rmtree(making, ignore_errors=True)


@torch.no_grad()
def _encoded(
    unit: TrainedUnit,
    dataset: EncodedDataset,
    pairs: np.ndarray,
    device: torch.device,
    making: Path,
    checkpoint: str,
) -> np.ndarray:
    """z_I [K + 1, d] of pairs, and last of null windows, chunk by chunk, each kept in `making` as it is there."""
    making.mkdir(exist_ok=True)
    model, batch = unit.model.to(device), unit.config.evaluation.batch
    parts = []
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        label = hashlib.sha256(f"{checkpoint} {dataset.hash} {start}".encode() + chunk.tobytes()).hexdigest()[
            :16
        ]
        file = making / f"{label}.npy"
        if not file.exists():
            written = io.BytesIO()
            np.save(written, encode_pairs(model, dataset, chunk, device, batch).z_i.cpu().numpy())
            replace_atomically(file, written.getvalue())
        parts.append(np.load(file, allow_pickle=False))
    return np.concatenate([*parts, _null(model, dataset, device)])


def _null(model: PrismModel, dataset: EncodedDataset, device: torch.device) -> np.ndarray:
    """z_I [1, d] of windows that are null from end to end."""
    sides = (
        torch.full((1, windows.shape[1]), PAD, dtype=torch.uint8, device=device)
        for windows in (dataset.enhancers, dataset.promoters)
    )
    made: np.ndarray = model.sequence(*sides, None).z_i.cpu().numpy()
    return made


def _checkpoint(run: Path, config: str, fold: str, seed: int) -> str | None:
    """SHA-256 of the weights that a unit's last row speaks of; None for one that has not ended."""
    rows = Run(run).table("ledger")
    here = rows[(rows["config"] == config) & (rows["fold"] == fold) & (rows["seed"] == seed)]
    return None if here.empty else str(here["checkpoint"].iloc[-1])


def _data(folder: Path) -> Any:
    content = stored_content(folder)
    return None if content is None else content["data"]
