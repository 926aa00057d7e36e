"""Configurations per hour on the cached features of a frozen sequence side, against training each of them in full."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.audit.unit_inspector import AuditInspector
from harness.bench.measurement import Measurement, Time, middle, timed
from harness.bench.unit_parts import EPOCHS, STEPS, TEST, TRAINING, VALIDATION, UnitParts, Whole, added
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
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.unit_run import UnitRun

REQUIRED = 200.0
PRESET = "rp24"
SCREENED = 1000
"""Configurations that share one sequence side."""
LINES, FEW, MANY = 8, 160, 6000
"""Cell lines of the benchmark's data, and pairs of each: for steps and for what is beside them, and for scoring."""
UNREAD = {"enhancer_bp": 160, "promoter_bp": 240}
"""Windows of data that are shown to frozen sides alone, which read none."""
ENCODED = 256
"""Pairs that are encoded to see what one takes."""
STEPPED = 7
"""Steps of a cached unit's epoch where nothing but these is measured."""
PHASE2 = 10
"""Epochs after which the whole model trains."""


def bench_cached(
    size: str, *, steps: int, device: torch.device, quick: bool = False
) -> Iterator[Measurement]:
    """Of one configuration (rp24) at a size of the model: `steps` steps of each way in turns, its epoch and its end by the
    pair, extrapolated to the documented number of pairs. Two figures: without the sequence side that is trained and encoded
    once, and with it shared by SCREENED configurations."""
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place:
        setting = CachedSetting(Path(place), size, device, quick=quick)
        plain, fast, encoding = setting.measured(steps)
    epochs = setting.config.optimiser.epochs
    per_epoch = round(TRAINING / (setting.config.episode.per_step * setting.config.episode.query))
    full, cached = plain.unit(epochs, per_epoch), fast.unit(epochs, per_epoch)
    once = added(full, encoding.times(TRAINING + VALIDATION + TEST))
    with_cache = added(cached, once.times(1 / SCREENED))
    notes: dict[str, Any] = {
        "measured": f"{steps} steps of each way in turns, the rest extrapolated to {epochs} epochs of {per_epoch} steps, "
        f"{TRAINING:,} training and {TEST:,} test pairs",
        **{f"ms a step, {name}": 1e3 * of.step.cpu for name, of in (("full", plain), ("cached", fast))},
        **{
            f"ms a pair {when}, {name}": 1e3 * time.cpu
            for name, of in (("full", plain), ("cached", fast))
            for when, time in (("after an epoch", of.pair), ("at the end", of.last))
        },
        **{f"s beside, {name}": of.fixed.cpu for name, of in (("full", plain), ("cached", fast))},
        "configurations per hour, cached": 3600 / cached.cpu,
        "load": os.getloadavg()[0],
    }
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
        notes={"once s": once.cpu},
    )


class CachedSetting:
    """One configuration in both ways on the built-in benchmark. What is measured does not depend on whether the frozen side
    was trained, so that it is one at its initialisation."""

    def __init__(self, folder: Path, size: str, device: torch.device, *, quick: bool) -> None:
        self.folder, self.device, self.size, self.quick = folder, device, size, quick
        changes: dict[str, Any] = {"model.size": size}
        if quick:
            changes |= {"model.embedding": 4, "model.width": 8, "model.kernel": 5, "optimiser.epochs": 3}
        self.bp = {name: 100 if quick else SIZES[size][name] for name in ("enhancer_bp", "promoter_bp")}
        changes |= {f"model.{name}": length for name, length in self.bp.items()}
        self.composer = FrozenComposer(merge(load_preset(PRESET), changes))
        self.config, self.behind = self.composer.side(gpu=False), self.composer.resolved({}, gpu=False)
        self._features: FrozenDataset | None = None
        self.few, self.many = FEW, 2 * FEW if quick else MANY

    def measured(self, steps: int) -> tuple[UnitParts, UnitParts, Time]:
        """Both ways, and what encoding one pair takes: scoring a pair in full is that and scoring it behind."""
        dataset, fold = self._data(self.few, self.bp)
        full = self._unit(self.config, dataset, fold, "full")
        pairs = np.arange(min(ENCODED, len(dataset)))
        encoded: list[np.ndarray] = []

        def encode() -> None:
            made = encode_pairs(full.trainer.model, dataset, pairs, self.device, self.config.evaluation.batch)
            encoded.append(made.z_i.cpu().numpy())

        encode()  # what the first call alone takes, such as a GPU's libraries, is no pair's
        encoding = timed(encode, self.device).times(1 / len(pairs))
        shown = self._shown(dataset, encoded[0], "few")
        of_full, of_cached = self._steps([(self.config, dataset), (self.behind, shown)], fold, steps)
        small = self._whole(self.behind, shown, fold, "few")
        many, many_fold = self._data(self.many, UNREAD)
        large = self._whole(self.behind, self._shown(many, encoded[0], "many"), many_fold, "many")
        pair, last = large.epoch.per_more(small.epoch), large.end.per_more(small.end)
        fast = UnitParts(of_cached, pair, last, small.beside(of_cached, pair, last))
        pair, last = added(pair, encoding), added(last, encoding.times(2))
        # What is beside steps and pairs in full is left out at documented size, where the audit alone would take minutes.
        left_out = self.quick or self.size == "documented"
        whole = None if left_out else self._whole(self.config, dataset, fold, "full")
        fixed = Time(0.0, 0.0) if whole is None else whole.beside(of_full, pair, last)
        return UnitParts(of_full, pair, last, fixed), fast, encoding

    def another(self, factor: float) -> ConfigurationBlock:
        """The cached configuration at this times its learning rate."""
        return self.composer.resolved({"optimiser.lr": factor * self.config.optimiser.lr}, gpu=False)

    def cached_unit(self, config: ConfigurationBlock, name: str) -> UnitRun:
        """A unit of a cached configuration that has epochs of a few steps and has taken none."""
        dataset, fold = self._data(self.few, self.bp)
        if self._features is None:
            pairs = np.arange(min(ENCODED, len(dataset)))
            model = self._unit(self.config, dataset, fold, "full").trainer.model
            made = encode_pairs(model, dataset, pairs, self.device, self.config.evaluation.batch)
            self._features = self._shown(dataset, made.z_i.cpu().numpy(), "few")
        return self._unit(_stepping(config, STEPPED), self._features, fold, name)

    def _data(self, per_line: int, bp: Mapping[str, int]) -> tuple[EncodedDataset, Fold]:
        content = {"form": "gated", "pairs_per_cell": per_line, "cell_lines": LINES, **bp}
        block = DataBlock.model_validate({"synthetic": content})
        dataset = open_dataset(block, **bp, cache=self.folder / "cache", progress=False)
        return dataset, make_folds(dataset, block)[0]

    def _shown(self, dataset: EncodedDataset, z_i: np.ndarray, name: str) -> FrozenDataset:
        """The data with features in place of windows: those of the encoded pairs, again and again, and the same for pairs
        of the same windows."""
        content = {"unit": name, "side": self.config.id, "checkpoint": name, "data": dataset.hash}
        sides = np.stack([rows for _, rows in dataset.inputs])
        distinct, rows = np.unique(sides, axis=1, return_inverse=True)
        features = z_i[np.append(np.arange(distinct.shape[1]), 0) % len(z_i)]
        write_features(self.folder / name, content, features, rows.astype(np.int32))
        return FrozenDataset(dataset, FrozenFeatures.open(self.folder / name))

    def _unit(
        self, config: ConfigurationBlock, dataset: EncodedDataset, fold: Fold, name: str, **options: Any
    ) -> UnitRun:
        run = RunWriter(self.folder / "runs" / name)
        return UnitRun(config, dataset, fold, 0, run, device=str(self.device), **options)

    def _steps(
        self, configs: Sequence[tuple[ConfigurationBlock, EncodedDataset]], fold: Fold, count: int
    ) -> list[Time]:
        """Median step of a unit of each configuration, in phase 2 and with what the audit looks at in every step, taken in
        turns."""
        units = [
            self._unit(
                _stepping(config, count + 2), data, fold, f"steps-{config.id}", inspector=AuditInspector
            )
            for config, data in configs
        ]
        for unit in units:
            unit.trainer.index = PHASE2 * unit.sampler.steps
        taken: list[list[Time]] = [[] for _ in units]
        for number, batch in enumerate(islice(drawn(units[0].sampler, PHASE2 + 1), count + 1)):
            for unit, times in zip(units, taken, strict=True):
                step = timed(partial(_audited_step, unit, batch, number), self.device)
                times += [step] if number else []
        return [middle(times) for times in taken]

    def _whole(self, config: ConfigurationBlock, dataset: EncodedDataset, fold: Fold, name: str) -> Whole:
        """A whole audited unit of a few steps."""
        short, made = _stepping(config, STEPS, EPOCHS), list[UnitRun]()

        def begin() -> None:
            made.append(self._unit(short, dataset, fold, f"whole-{name}", inspector=AuditInspector))

        begun = timed(begin, self.device)
        (unit,) = made
        epochs = [timed(unit.advance, self.device) for _ in range(EPOCHS)]
        assert unit.status == "done", unit.row["reason"]
        pairs = {name: len(pairs) for name, pairs in unit.evaluation.pairs.items()}
        return Whole(begun, epochs, sum(pairs.values()), sum(pairs.values()) - pairs["test"])


def _stepping(config: ConfigurationBlock, steps: int, epochs: int = PHASE2 + 1) -> ConfigurationBlock:
    """The configuration with epochs of so many steps."""
    optimiser = config.optimiser.model_copy(update={"epochs": epochs, "steps_per_epoch": steps})
    return config.model_copy(update={"optimiser": optimiser})


def _audited_step(unit: UnitRun, batch: EpisodeBatch, position: int) -> None:
    """A step as a unit takes it, past phase 1."""
    progress = PHASE2 + position / unit.sampler.steps
    unit.inspections.before_step(batch, PHASE2 + 1, progress)
    unit.inspections.after_step(unit.trainer.step(batch, progress=progress, probe=False))
