"""An example: two steps and a prediction of a tiny trial, and of one trial the tables that it leaves."""

import contextlib
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.audit.example_digest import PREDICTED, Digests, digest
from harness.audit.other_values import at_other_values
from harness.audit.reading import ScoreReading
from harness.audit.rehearsal import DATA, Rehearsal
from harness.audit.scene import drawn_in_double, in_double
from harness.config.blocks.data import DataBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.live import LiveWarnings, Row
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun

EVERYTHING_ON = 3.0
"""Epochs after which every schedule of these trials is over."""
PROGRESS = (0.0, 0.5, 1.0, 1.5, 2.5)
"""Epochs at which weights in force are noted."""
STEPS, EPOCHS = 2, 2
"""Steps of an example, two more at other values, where a state decides what is done next."""
LONG: Mapping[str, Any] = {
    "model.enhancer_bp": 1000,
    "model.promoter_bp": 1900,
    "model.pool": 24,
    "episode.query": 4,
}
"""42 and 80 windows: more than attention takes as one, and than the pyramid does."""
SEED = 9
"""With it competition both pulls and pushes at other values."""
READ = ("u", "z_i", "z_e", "r", "logit", "temperature")
"""What every step has."""
TABLES = ("epochs", "terms", "reports", "cells", "predictions", "embeddings", "pair_vectors")
TIMES = ("wall_s", "cpu_s")


@dataclass(frozen=True)
class Example:
    """A preset at tiny sizes with `changes`; `whole`: it is trained to its end, and its tables are noted; `other`: at other
    numbers (`at_other_values`); `long`: of sequences that attention and pyramid take in parts."""

    name: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False
    other: bool = False
    long: bool = False

    def configuration(self, folder: Path) -> ConfigurationBlock:
        """What is trained, with its files below `folder`."""
        changes = {**self.changes, **(LONG if self.long else {}), "audit": "off"}
        made = Rehearsal(self.preset, changes, EPOCHS, DATA, folder).configuration()
        return at_other_values(made) if self.other else made


class Unwatched(LiveWarnings):
    """Rules judge no example: a person may have brought some."""

    def see(self, trial: Row, tables: Mapping[str, Sequence[Row]]) -> tuple[list[Row], str | None]:
        return [], None


class ExamplePlace:
    """A folder with the tiny data of examples and their fold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data: dict[bool, tuple[EncodedDataset, Fold]] = {}

    def data(self, example: Example, config: ConfigurationBlock) -> tuple[EncodedDataset, Fold]:
        """Pairs for an example with this configuration, long ones for one of long sequences."""
        model = config.model
        assert model.enhancer_bp is not None
        assert model.promoter_bp is not None
        bp = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
        if example.long not in self._data:
            content = DATA.model_dump()["synthetic"] | (bp if example.long else {})
            block = DataBlock.model_validate({"synthetic": content})
            dataset = open_dataset(block, **bp, cache=self.folder / "cache", progress=False)
            self._data[example.long] = dataset, make_folds(dataset, block)[0]
        return self._data[example.long]

    def computed(self, example: Example) -> Digests:
        """Digests by name, of what the example computes on a CPU: steps in float64 from their first draw on, where no other
        processor rounds a maximum to another winner, and the whole trial as it is trained."""
        config = example.configuration(self.folder)
        precision = contextlib.nullcontext() if example.whole else drawn_in_double()
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as run,
            torch.random.fork_rng(devices=[]),
            precision,
        ):
            unit = UnitRun(config, *self.data(example, config), SEED, RunWriter(Path(run)))
            unit.live = Unwatched({}, ())
            if example.whole:
                return {name: digest(each) for name, each in _of_tables(unit)}
            _in_double(unit)
            return {name: digest(each) for name, each in _of_steps(unit, STEPS + 2 * example.other)}


def _in_double(unit: UnitRun) -> None:
    in_double(unit.trainer)
    if unit.predictor.v is not None:
        unit.predictor.v = unit.predictor.v.double()


def _of_steps(unit: UnitRun, steps: int) -> Iterator[tuple[str, Any]]:
    trainer = unit.trainer
    for group in trainer.optimiser.param_groups:  # so that a step is in proportion to its gradient
        group["lr"] = group["eps"] = 1.0
    for progress in PROGRESS:
        in_force = [weight * trainer.schedule.factor(term, progress) for term, weight in trainer.weighted]
        yield f"weights in force after {progress:g} epochs", in_force
    for number, batch in enumerate(islice(unit.sampler.epoch(1), steps), 1):
        yield f"pairs of batch {number}", np.concatenate([batch.support.ravel(), batch.query.ravel()])
        yield from _of_step(trainer, batch, f"step {number}")
    yield from _tensors(trainer.weights(), "after the steps")
    for split, scores in ScoreReading(trainer, unit.predictor, unit.evaluation.pairs).real.items():
        yield f"{PREDICTED} logits of split {split}", scores.logit


def _of_step(trainer: Trainer, batch: EpisodeBatch, where: str) -> Iterator[tuple[str, Any]]:
    step = trainer.measure(batch, warm=False).step
    for name in (*READ, *sorted(step.makers)):
        value = getattr(step, name)
        if isinstance(value, Tensor):
            yield f"{name} of {where}", value
    log = trainer.step(batch, progress=EVERYTHING_ON, probe=True)
    for term, value in log.values.items():
        yield f"term {term} of {where}", [value, log.weights[term], *log.shares[term]]
    yield f"dependence of {where}", [value for _, value in sorted(log.dependence.items())]
    parts: dict[str, list[Tensor]] = {}
    for name, parameter in trainer.named_parameters().items():
        if parameter in log.norms:
            parts.setdefault(".".join(name.split(".")[:3]), []).append(log.norms[parameter])
    for part, norms in parts.items():
        yield f"gradient of {part} in {where}", torch.stack(norms)


def _tensors(values: Mapping[str, Any], name: str) -> Iterator[tuple[str, Tensor]]:
    """Tensors of states in nested mappings, by name; none of the parameters."""
    for key, value in values.items():
        if isinstance(value, Tensor):
            yield f"{key} {name}", value
        elif isinstance(value, Mapping) and key not in ("model", "terms"):
            yield from _tensors(value, f"of {key} {name}")


def _of_tables(unit: UnitRun) -> Iterator[tuple[str, Any]]:
    """Columns of numbers of every table of results of a unit that is trained to its end."""
    while not unit.finished:
        unit.advance()
    log = unit.record.settle()
    for table in (name for name in TABLES if log.holds(name)):
        rows = log.table(table)
        for column in (name for name in rows.column_names if name not in TIMES):
            cells = rows[column].to_pylist()
            flat = [x for cell in cells for x in (cell if isinstance(cell, list) else [cell])]
            if any(isinstance(x, float) for x in flat):
                there = [number for number, x in enumerate(flat) if x is not None and not math.isnan(x)]
                yield f"{column} of table {table}", [float(flat[number]) for number in there]
                yield f"rows of table {table} with {column}", there
