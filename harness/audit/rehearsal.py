"""A trial of seconds on tiny synthetic data, at the sizes that sabotages are judged at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.inspection import Inspect
from harness.trial.unit_run import UnitRun

TINY: Mapping[str, Any] = {
    "model.embedding": 4,
    "model.kernel": 5,
    "model.width": 8,
    "model.pool": 12,
    "support.size": 8,
    "support.draws": 2,
    "episode.query": 16,
    "episode.per_step": 4,
    "optimiser.steps_per_epoch": 6,
    "evaluation.train_subset": 64,
    "audit": "strict",
}
"""Sizes of a trial that takes seconds."""
LONGEST: Mapping[str, float] = {
    "curriculum.phase1_epochs": 1,
    "curriculum.ramp_epochs": 1.0,
    "balance.epochs": 1.0,
}
"""A preset's schedules, cut so that they arrive within a few epochs."""
NARROW = 4
"""What a preset's bottleneck becomes at that small width."""
DATA = DataBlock(
    synthetic=SyntheticBlock(
        form="gated",
        cell_lines=7,
        pairs_per_cell=60,
        chromosomes=4,
        motifs=4,
        enhancer_bp=80,
        promoter_bp=100,
    )
)


@dataclass(frozen=True)
class Rehearsal:
    """A trial that is to be run: a preset at tiny sizes, the `changes` laid over it, and the folder for its files, encoded
    data among them, so that a patch of the encoding acts."""

    preset: str
    changes: Mapping[str, Any]
    epochs: int
    data: DataBlock
    folder: Path

    def configuration(self) -> ConfigurationBlock:
        """Raises UserError for a preset that is not there and for changes that are impossible."""
        preset = load_preset(self.preset)
        blocks = compose(preset, {}).model_dump()
        tiny = {**TINY, "optimiser.epochs": self.epochs}
        for path, longest in LONGEST.items():
            block, key = path.split(".")
            if blocks[block].get(key, 0) > longest:
                tiny[path] = longest
        if blocks["model"]["bottleneck"] is not None:
            tiny["model.bottleneck"] = NARROW
        return compose(compose(preset, tiny).canonical(), self.changes).resolved(gpu=False)

    def unit_run(self, inspector: Inspect | None) -> UnitRun:
        """Its first unit before the first step; without an inspector it is the same trial otherwise."""
        config = self.configuration()
        model = config.model
        assert model.enhancer_bp is not None
        assert model.promoter_bp is not None
        dataset = open_dataset(
            self.data,
            enhancer_bp=model.enhancer_bp,
            promoter_bp=model.promoter_bp,
            cache=self.folder / "cache",
            progress=False,
        )
        fold = make_folds(dataset, self.data)[0]
        run = RunWriter(self.folder / ("plain" if inspector is None else "audited"))
        return UnitRun(config, dataset, fold, 0, run, inspector=inspector)
