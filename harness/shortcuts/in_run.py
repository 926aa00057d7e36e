"""What the data report finds without training, kept with a run so that its report can say it."""

import json
from pathlib import Path

import numpy as np

from analysis.data_signs import FILE
from harness.baselines.features import PairFeatures
from harness.data.dataset import EncodedDataset
from harness.shortcuts.report import MEANING
from harness.shortcuts.source_split import source_split
from harness.shortcuts.telltales import of_source, telltales
from harness.store.writer import RunWriter


def write_signs(dataset: EncodedDataset, run: Path) -> None:
    """Flags and shortcuts of the data; a run that has those of the same data keeps them."""
    if _data_of(run / FILE) == dataset.hash:
        return
    sharing, tales = source_split(dataset), telltales(PairFeatures(dataset), of_source(dataset))
    flags = [sharing.flag] if sharing and sharing.flag else []
    flags += [tale.flag for tale in tales if tale.flag]
    rows = [
        {
            "shortcut": tale.shortcut,
            "parted": tale.parted,
            "auc": _known(tale.auc),
            "low": _known(tale.low),
            "flag": tale.flag,
        }
        for tale in tales
    ]
    content = {"data": dataset.hash, "flags": {flag: MEANING[flag] for flag in flags}, "shortcuts": rows}
    RunWriter(run).write_json(FILE, content)


def _data_of(file: Path) -> str:
    """Hash of the data that a document is of; empty where there is none, or none that can be read."""
    try:
        return str(json.loads(file.read_bytes())["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
