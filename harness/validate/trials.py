"""Healthy units: real trials of a few seconds, of several presets on data of every planted form."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from analysis.metrics import by_cell
from harness.audit.unit_inspector import AuditInspector
from harness.baselines.baseline import BASELINES
from harness.baselines.features import PairFeatures
from harness.config.blocks.data import DataBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds, split
from harness.data.store import open_dataset
from harness.stamp.code import Code
from harness.store.writer import RunWriter
from harness.trial.clock import Clock
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.ledger import ledger_row
from harness.trial.score.rows import embedding_rows, prediction_rows
from harness.trial.score.scoring import score_splits
from harness.trial.taking import StackedUnits
from harness.trial.unit_run import UnitRun
from harness.validate.lesson import SPLIT, Lesson, lesson
from harness.validate.recipes import BASE, BP, FORMS, RECIPES, SMALL, Recipe

PROMOTER = "promoter_kmer_logistic"
BEGIN = ("harness.validate.trials", "harness.trial.unit_run", "harness.audit.unit_inspector")
LESSONS = "lessons.jsonl"
RULES = "analysis.rules"
"""Package of the code that judges what was trained, and has no part in it."""


@dataclass(frozen=True)
class FormData:
    """Data of one planted form with `changes`, encoded, with the fold and the run folder of its trials."""

    form: str
    changes: Mapping[str, Any]
    dataset: EncodedDataset
    fold: Fold
    run: RunWriter

    @property
    def name(self) -> str:
        """The form, and what is changed."""
        return ", ".join([self.form, *(f"{key} {value}" for key, value in self.changes.items())])

    def holds(self, recipe: Recipe) -> bool:
        """Whether a recipe is trained on these data."""
        return self.form in recipe.forms and self.changes == recipe.data


@dataclass(frozen=True)
class SmallTrial:
    """One configuration of the trials: a recipe by its name, made small, on data of one form. `half`: 0 where limits are
    tuned on it, 1 where figures are reported."""

    recipe: str
    place: FormData
    half: int
    config: ConfigurationBlock = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.recipe} on {self.place.name}"


def trained_code() -> str:
    """Hash of the code that trains a unit and audits it; that of the rules is not in it."""
    modules = Code.of(begin=BEGIN).modules
    text = "\n".join(f"{name} {modules[name]}" for name in sorted(modules) if not name.startswith(RULES))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def places(out: Path) -> Iterator[FormData]:
    """The data of every form that recipes ask for, made and encoded once, with a promoter-only baseline of their fold
    beside. Units of other code are in folders of their own."""
    code = trained_code()
    asked: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for form in FORMS:
        for recipe in RECIPES.values():
            if form in recipe.forms:
                asked.setdefault(json.dumps([form, dict(recipe.data)]), (form, recipe.data))
    for form, changes in asked.values():
        data = DataBlock.model_validate({"synthetic": {**BASE, "form": form, **changes}})
        dataset = open_dataset(data, enhancer_bp=BP, promoter_bp=BP, cache=out / "cache", progress=False)
        fold = make_folds(dataset, data)[0]
        folder = "-".join([form, *(f"{key}-{value}" for key, value in changes.items())])
        run = RunWriter(out / "trained" / code / folder)
        run.write("baselines", fold.id, _of_promoter(dataset, fold))
        yield FormData(form, changes, dataset, fold, run)


def _of_promoter(dataset: EncodedDataset, fold: Fold) -> list[dict[str, Any]]:
    """Rows of `baselines` of logistic regression on the promoter's k-mers, on the unseen validation pairs."""
    features, splits = PairFeatures(dataset), split(dataset, fold)
    known = np.zeros(len(dataset), dtype=bool)
    known[splits.train] = True
    baseline, seen, pairs = BASELINES.build(PROMOTER), features.hiding(known), splits.val_unseen
    baseline.fit(seen, splits.train)
    measured = by_cell(
        baseline.logits(seen, pairs),
        features.labels(pairs),
        np.asarray(dataset.cell_lines)[dataset.cell[pairs]],
    )
    columns = ("cell_line", "n", "prevalence", "aupr", "auc", "nll")
    told = {"baseline": PROMOTER, "fold": fold.id, "split": "val_unseen"}
    return [{**told, **{name: row[name] for name in columns}} for row in measured]


def arms(places_: list[FormData]) -> list[SmallTrial]:
    """Every recipe on the data of each of its forms, by turns of the two halves."""
    return [
        SmallTrial(name, place, (FORMS.index(place.form) + row) % 2, _config(recipe))
        for place in places_
        for row, (name, recipe) in enumerate(RECIPES.items())
        if place.holds(recipe)
    ]


def _config(recipe: Recipe) -> ConfigurationBlock:
    return compose(load_preset(recipe.preset), {**SMALL, **recipe.changes}).resolved()


def train(arm: SmallTrial, turn: int) -> None:
    """Train the seeds of an arm's turn (from 0 on) as one stack, as far as they have not ended. All are audited, and as
    many as the recipe says by twins as well, as the first seed of a trial is, so that mechanisms are judged there."""
    began, recipe = Clock.now(), RECIPES[arm.recipe]
    seeds = recipe.seeds
    torch.set_num_threads(1)
    units = [
        UnitRun(
            arm.config,
            arm.place.dataset,
            arm.place.fold,
            seed,
            arm.place.run,
            changes={"preset": arm.recipe},
            inspector=AuditInspector,
            twins=recipe.audited is None or seed % seeds < recipe.audited,
        )
        for seed in range(turn * seeds, (turn + 1) * seeds)
    ]
    stack = StackedUnits()
    while active := [unit for unit in units if not unit.finished]:
        behind = min(unit.epoch for unit in active)
        for _, reached in stack.advance([unit for unit in active if unit.epoch == behind]):
            if isinstance(reached, Exception):
                raise reached
    known, seconds = lessons_of(arm.place), began.cpu / seeds
    with (arm.place.run.path / LESSONS).open("a", encoding="utf-8") as out:
        for unit in units:
            if unit.unit not in known:
                taught = _lesson(unit)
                row = {"unit": unit.unit, "lesson": taught and asdict(taught), "seconds": seconds}
                out.write(json.dumps(row) + "\n")


class EndedUnit(NamedTuple):
    """What was asked of a unit as it ended: its lesson, None without a Teacher, and the seconds of processor time that it
    took, those of its stack shared evenly; NaN of units from before that was asked."""

    lesson: Lesson | None
    seconds: float


def lessons_of(place: FormData) -> dict[str, EndedUnit]:
    """Unit -> what was asked of it, of the units that have been looked at."""
    file = place.run.path / LESSONS
    rows = (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    )
    return {
        row["unit"]: EndedUnit(row["lesson"] and Lesson.from_row(row["lesson"]), row.get("seconds", math.nan))
        for row in rows
    }


def _lesson(unit: UnitRun) -> Lesson | None:
    """Of an ended unit with the weights of its last epoch, which the rules judge; those that are stored are of the epoch
    that was best on validation."""
    ledger = ledger_row(unit.trainer, epoch=unit.epoch, calibration=None, predictions=0)
    if unit.status != "done" or ledger["alpha"] is None:
        return None
    pairs, splits = unit.evaluation.pairs, (SPLIT, VALIDATION)
    scores, _ = score_splits(unit.trainer, unit.predictor, pairs, splits, draws=1, epoch=unit.epoch)
    lines = unit.dataset.cell_lines
    rows, embedded = prediction_rows(scores, lines, {}), embedding_rows(scores, lines)
    return lesson(ledger, pd.DataFrame(rows), pd.DataFrame(embedded))
