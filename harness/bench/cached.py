"""Configurations per hour on the cached features of a frozen sequence side, against training each of them in full."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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
from harness.data.folds import Fold, make_folds
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
LINES, FEW, MANY = 8, 160, 1500
"""Cell lines of the benchmark's data, and pairs of each: for steps and for what is beside them, and for scoring."""
ENCODED = 256
"""Pairs that are encoded to see what one takes."""
PHASE2 = 1e3
"""Progress in epochs at which the whole model trains."""


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
        self.folder, self.device, self.size, self.quick = folder, device, size, quick
        changes: dict[str, Any] = {"model.size": size}
        if quick:
            changes |= {"model.embedding": 4, "model.width": 8, "model.kernel": 5, "optimiser.epochs": EPOCHS}
        self.bp = {name: 100 if quick else SIZES[size][name] for name in ("enhancer_bp", "promoter_bp")}
        changes |= {f"model.{name}": length for name, length in self.bp.items()}
        self.composer = FrozenComposer(merge(load_preset(PRESET), changes))
        self.config, self.behind = self.composer.side(gpu=False), self.composer.resolved({}, gpu=False)
        self.few, self.many = FEW, FEW if quick else MANY

    def measured(self, steps: int) -> tuple[UnitParts, UnitParts, Time]:
        """Both ways, and what encoding one pair takes: scoring a pair in full is that and scoring it behind."""
        dataset, fold = self._data(self.few)
        full = self._unit(self.config, dataset, fold, "full")
        pairs = np.arange(min(ENCODED, len(dataset)))
        encoded: list[np.ndarray] = []

        def encode() -> None:
            made = encode_pairs(full.trainer.model, dataset, pairs, self.device, self.config.evaluation.batch)
            encoded.append(made.z_i.cpu().numpy())

        encoding = timed(encode, self.device).times(1 / len(pairs))
        shown = self._shown(dataset, encoded[0], "few")
        cached = self._unit(self.behind, shown, fold, "cached")
        of_full, of_cached = self._steps([full, cached], steps)
        behind = self._pair(encoded[0])
        whole = Time(behind.wall + encoding.wall, behind.cpu + encoding.cpu)
        plain = UnitParts(of_full, whole, self._fixed(self.config, dataset, fold, of_full, whole))
        fast = UnitParts(of_cached, behind, self._fixed(self.behind, shown, fold, of_cached, behind))
        return plain, fast, encoding

    def _data(self, per_line: int) -> tuple[EncodedDataset, Fold]:
        content = {"form": "gated", "pairs_per_cell": per_line, "cell_lines": LINES, **self.bp}
        block = DataBlock.model_validate({"synthetic": content})
        dataset = open_dataset(block, **self.bp, cache=self.folder / "cache", progress=False)
        return dataset, make_folds(dataset, block)[0]

    def _shown(self, dataset: EncodedDataset, z_i: np.ndarray, name: str) -> FrozenDataset:
        """The data with features in place of windows: those of the encoded pairs, again and again."""
        content = {"unit": name, "side": self.config.id, "checkpoint": name, "data": dataset.hash}
        rows = np.arange(len(dataset))
        write_features(self.folder / name, content, z_i[np.append(rows, 0) % len(z_i)], rows.astype(np.int32))
        return FrozenDataset(dataset, FrozenFeatures.open(self.folder / name))

    def _unit(
        self, config: ConfigurationBlock, dataset: EncodedDataset, fold: Fold, name: str, **options: Any
    ) -> UnitRun:
        run = RunWriter(self.folder / "runs" / name)
        return UnitRun(config, dataset, fold, 0, run, device=str(self.device), **options)

    def _steps(self, units: Sequence[UnitRun], count: int) -> list[Time]:
        """Median step of each unit, phase 2, taken in turns."""
        taken: list[list[Time]] = [[] for _ in units]
        for number, batch in enumerate(islice(cycle(drawn(units[0].sampler, 1)), count + 1)):
            for unit, times in zip(units, taken, strict=True):
                step = timed(partial(unit.trainer.step, batch, progress=PHASE2, probe=False), self.device)
                times += [step] if number else []
        return [middle(times) for times in taken]

    def _pair(self, z_i: np.ndarray) -> Time:
        """Scoring one pair behind the sequence side after an epoch, metrics included, where there are many of them."""
        dataset, fold = self._data(self.many)
        unit = self._unit(self.behind, self._shown(dataset, z_i, "many"), fold, "pairs")
        pairs = sum(len(pairs) for name, pairs in unit.evaluation.pairs.items() if name != "test")
        rounds = [timed(partial(unit.evaluation.of_epoch, int(PHASE2)), self.device) for _ in range(3)]
        return middle(rounds).times(1 / pairs)

    def _fixed(
        self, config: ConfigurationBlock, dataset: EncodedDataset, fold: Fold, step: Time, pair: Time
    ) -> Time:
        """Of a whole unit of a few steps what neither its steps nor its pairs take. Nothing is counted in a quick look, and
        of a full one of documented size, whose audit alone would take minutes."""
        if self.quick or (not config.frozen and self.size == "documented"):
            return Time(0.0, 0.0)
        optimiser = config.optimiser.model_copy(update={"epochs": EPOCHS, "steps_per_epoch": 2})
        short = config.model_copy(update={"optimiser": optimiser})
        scored = 0

        def whole() -> None:
            nonlocal scored
            unit = self._unit(short, dataset, fold, f"whole-{config.id}", inspector=AuditInspector)
            sizes = {name: len(pairs) for name, pairs in unit.evaluation.pairs.items()}
            scored = EPOCHS * (sum(sizes.values()) - sizes["test"]) + 2 * sum(sizes.values())
            while not unit.finished:
                unit.advance()

        total = timed(whole, self.device)
        wall, cpu = (max(0.0, total[k] - 2 * EPOCHS * step[k] - scored * pair[k]) for k in range(2))
        return Time(wall, cpu)
