"""Configurations per hour on the cached features of a frozen sequence side, against training each of them in full."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.audit.unit_inspector import AuditInspector
from harness.bench.measurement import Measurement, Time, middle, timed
from harness.config.blocks.data import DataBlock
from harness.config.blocks.trial import SIZES, ConfigurationBlock
from harness.config.space.compose import load_preset, merge
from harness.config.space.frozen import FrozenComposer
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds
from harness.data.frozen import FrozenDataset, FrozenFeatures, write_features
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.episodes.batches import encode_pairs
from harness.trial.episodes.drawn import drawn
from harness.trial.unit_run import UnitRun

REQUIRED = 200.0
PRESET = "rp24"
TRAINING, VALIDATION, TEST = 145_534, 29_107, 250_000
"""Pairs of the documented size: trained on, scored after every epoch (a tenth of them per validation split), and tested."""
SCREENED = 1000
"""Configurations that share one sequence side."""
EPOCHS = 3
"""Epochs of the unit by which what does not grow with the data is measured."""


@dataclass(frozen=True)
class UnitParts:
    """What a unit's time is made of: a step, scoring a pair after an epoch, and what neither steps nor pairs make longer
    (building, audit, record)."""

    step: Time
    pair: Time
    fixed: Time

    def unit(self, epochs: int, steps: int) -> Time:
        """A whole unit at the documented size: its epochs, and two evaluations of everything at its end."""
        pairs = epochs * VALIDATION + 2 * (VALIDATION + TEST)
        parts = (self.step.times(epochs * steps), self.pair.times(pairs), self.fixed)
        return Time(sum(part.wall for part in parts), sum(part.cpu for part in parts))


def bench_cached(
    size: str, *, steps: int, device: torch.device, quick: bool = False
) -> Iterator[Measurement]:
    """Of one configuration (rp24) at a size of the model: `steps` steps of each way in turns, its epoch and its end by the
    pair, extrapolated to the documented number of pairs. Two figures: without the sequence side that is trained and encoded
    once, and with it shared by SCREENED configurations."""
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place:
        setting = _Setting(Path(place), size, device, quick=quick)
        plain, fast, encoding = setting.measured(steps)
    epochs = setting.config.optimiser.epochs
    per_epoch = round(TRAINING / (setting.config.episode.per_step * setting.config.episode.query))
    full, cached = plain.unit(epochs, per_epoch), fast.unit(epochs, per_epoch)
    once = encoding.times(TRAINING + VALIDATION + TEST)
    shared = Time((full.wall + once.wall) / SCREENED, (full.cpu + once.cpu) / SCREENED)
    notes: dict[str, Any] = {
        "measured": f"{steps} steps of each way in turns, the rest extrapolated to {epochs} epochs of {per_epoch} steps, "
        f"{TRAINING:,} training and {TEST:,} test pairs",
        **{f"ms a step, {name}": 1e3 * of.step.cpu for name, of in (("full", plain), ("cached", fast))},
        **{
            f"ms a scored pair, {name}": 1e3 * of.pair.cpu for name, of in (("full", plain), ("cached", fast))
        },
        **{f"s beside, {name}": of.fixed.cpu for name, of in (("full", plain), ("cached", fast))},
        "configurations per hour, cached": 3600 / cached.cpu,
        "load": os.getloadavg()[0],
    }
    with_cache = Time(cached.wall + shared.wall, cached.cpu + shared.cpu)
    yield Measurement(
        f"cached configuration, {size} size, features there",
        full,
        cached,
        None if quick else REQUIRED,
        notes=notes,
    )
    yield Measurement(
        f"cached configuration, {size} size, features trained and encoded for {SCREENED}",
        full,
        with_cache,
        None if quick else REQUIRED,
        notes={"once s": full.cpu + once.cpu},
    )


class _Setting:
    """One configuration in both ways on the built-in benchmark. What is measured does not depend on whether the frozen side
    was trained, so that it is one at its initialisation."""

    def __init__(self, folder: Path, size: str, device: torch.device, *, quick: bool) -> None:
        self.folder, self.device, self.size = folder, device, size
        changes: dict[str, Any] = {"model.size": size, "evaluation.train_subset": 256}
        if quick:
            changes |= {"model.embedding": 4, "model.width": 8, "model.kernel": 5, "optimiser.epochs": EPOCHS}
        bp = {name: 100 if quick else SIZES[size][name] for name in ("enhancer_bp", "promoter_bp")}
        changes |= {f"model.{name}": length for name, length in bp.items()}
        self.composer = FrozenComposer(merge(load_preset(PRESET), changes))
        self.config = self.composer.side(gpu=False)
        block = DataBlock.model_validate(
            {"synthetic": {"form": "gated", "pairs_per_cell": 160, "cell_lines": 8, **bp}}
        )
        self.dataset = open_dataset(block, **bp, cache=folder / "cache", progress=False)
        self.fold = make_folds(self.dataset, block)[0]

    def measured(self, steps: int) -> tuple[UnitParts, UnitParts, Time]:
        """Both ways, and what encoding one pair takes."""
        full = self._unit(self.config, self.dataset, "full")
        everything = np.arange(len(self.dataset))
        encoded: list[Any] = []
        batch = self.config.evaluation.batch
        take = lambda: encoded.append(  # noqa: E731  # what is timed
            encode_pairs(full.trainer.model, self.dataset, everything, self.device, batch).z_i.cpu().numpy()
        )
        encoding = timed(take, self.device).times(1 / len(everything))
        z_i = encoded[0]
        content = {"unit": "bench", "side": self.config.id, "checkpoint": "bench", "data": self.dataset.hash}
        write_features(
            self.folder / "features", content, np.concatenate([z_i, z_i[:1]]), everything.astype(np.int32)
        )
        shown = FrozenDataset(self.dataset, FrozenFeatures.open(self.folder / "features"))
        behind = self.composer.resolved({}, gpu=False)
        cached = self._unit(behind, shown, "cached")
        step = self._steps([full, cached], steps)
        pair = [self._pair(unit) for unit in (full, cached)]
        fixed = [
            self._fixed(self.config, self.dataset, step[0], pair[0]),
            self._fixed(behind, shown, step[1], pair[1]),
        ]
        plain, fast = (UnitParts(*parts) for parts in zip(step, pair, fixed, strict=True))
        return plain, fast, encoding

    def _unit(
        self, config: ConfigurationBlock, dataset: EncodedDataset, name: str, **options: Any
    ) -> UnitRun:
        run = RunWriter(self.folder / name)
        return UnitRun(config, dataset, self.fold, 0, run, device=str(self.device), **options)

    def _steps(self, units: Sequence[UnitRun], count: int) -> list[Time]:
        """Median step of each unit, phase 2, taken in turns."""
        batches = [*islice(cycle(drawn(units[0].sampler, 1)), count + 1)]
        taken: list[list[Time]] = [[] for _ in units]
        for number, batch in enumerate(batches):
            for unit, times in zip(units, taken, strict=True):
                step = timed(
                    lambda unit=unit, batch=batch: unit.trainer.step(batch, progress=1e3, probe=False),
                    self.device,
                )  # type: ignore[misc]
                times += [step] if number else []
        return [middle(times) for times in taken]

    def _pair(self, unit: UnitRun) -> Time:
        pairs = sum(len(pairs) for name, pairs in unit.evaluation.pairs.items() if name != "test")
        return middle([timed(lambda: unit.evaluation.of_epoch(1000), self.device) for _ in range(3)]).times(
            1 / pairs
        )

    def _fixed(self, config: ConfigurationBlock, dataset: EncodedDataset, step: Time, pair: Time) -> Time:
        """Of a whole unit of a few steps what neither its steps nor its pairs take; of a full one of documented size
        nothing is counted, since its audit alone would take minutes."""
        if not config.frozen and self.size == "documented":
            return Time(0.0, 0.0)
        optimiser = config.optimiser.model_copy(update={"epochs": EPOCHS, "steps_per_epoch": 2})
        small = config.model_copy(update={"optimiser": optimiser})
        name = f"whole-{config.id}"

        def whole() -> None:
            unit = self._unit(small, dataset, name, inspector=AuditInspector)
            while not unit.finished:
                unit.advance()

        total = timed(whole, self.device)
        scored = EPOCHS * self._scored(("train", "val_seen", "val_unseen")) + 2 * len(dataset)
        rest = [max(0.0, total[k] - 2 * EPOCHS * step[k] - scored * pair[k]) for k in range(2)]
        return Time(*rest)

    def _scored(self, splits: Sequence[str]) -> int:
        unit = self._unit(self.config, self.dataset, "full")
        return sum(len(unit.evaluation.pairs[name]) for name in splits)
