"""The grid that the bench of whole sweeps runs, by the harness and by the port."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config.sweep.sweep import Sweep
from harness.data.dataset import EncodedDataset
from harness.data.store import open_dataset


@dataclass(frozen=True)
class SweepSize:
    """A grid of `configurations` on synthetic data (`data` of its block; {} is the default) with so many epochs and seeds;
    `settings` besides those of BASE. The harness runs `further` configurations more, whose share is what one costs it."""

    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    epochs: int
    seeds: int
    configurations: int
    further: int


BASE: Mapping[str, Any] = {
    "audit": "off",
    "optimiser.lr": 0.003,
    "episode.query": 32,
    "curriculum.phase1_epochs": 1,
    "balance.epochs": 1,
}
"""Of rp24's sweep; the port does not audit, so that neither does."""
SMALL = SweepSize({}, {}, epochs=3, seeds=2, configurations=2, further=4)
TINY = SweepSize(
    {"cell_lines": 5, "pairs_per_cell": 60, "enhancer_bp": 80, "promoter_bp": 80, "chromosomes": 4},
    {
        "model.embedding": 4,
        "model.kernel": 5,
        "model.width": 8,
        "model.enhancer_bp": 80,
        "model.promoter_bp": 80,
        "support.size": 4,
        "support.draws": 2,
        "episode.query": 8,
        "optimiser.steps_per_epoch": 2,
        "evaluation.train_subset": 16,
    },
    epochs=2,
    seeds=1,
    configurations=2,
    further=1,
)


def content(size: SweepSize, configurations: int, *, share: bool = True) -> dict[str, Any]:
    """The sweep's YAML as plain data; `share`: whether phase 1 is trained once for all."""
    return {
        "name": "bench",
        "base": "rp24",
        "data": {"folds": "one", "synthetic": dict(size.data)},
        "trial": {"epochs": size.epochs, "seeds": size.seeds, "share_prefix": share},
        "set": {**BASE, **size.settings},
        "space": {"loss.ranking.weight": {"grid": [0.1 * (number + 1) for number in range(configurations)]}},
        "design": "grid",
        "objective": "val_unseen/pooled/aupr",
    }


def opened(sweep: Sweep, cache: Path) -> EncodedDataset:
    """The encoded data of a sweep, which its run will find in `cache`."""
    model = sweep.trial.resolved(gpu=False).model
    assert model.enhancer_bp is not None
    assert model.promoter_bp is not None
    crops = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
    return open_dataset(sweep.config.data, **crops, cache=cache, progress=False)
