"""What the audit's contracts cost: a step and a scoring of a unit against the checks that are made of them."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from harness.audit.contracts import Contracts
from harness.audit.witness import Witness
from harness.bench.measurement import Measurement, Time, alternate
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.space.compose import compose
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.score.scoring import score_splits
from harness.trial.unit_run import UnitRun

REQUIRED = 100.0
"""Contracts take less than 1 % of what they are about."""
STEPS, REPEATS, ROUNDS = 4, 20, 5
DEFAULT: dict[str, Any] = {}
SMALL: dict[str, Any] = {
    "model": {"encoder": "cnn", "embedding": 4, "kernel": 5, "width": 8, "pool": 12},
    "environment": {"source": "support", "width": 4},
    "support": {"size": 8, "draws": 3},
    "episode": {"query": 16},
    "evaluation": {"train_subset": 64},
}
SIZES = {"default": (DEFAULT, SyntheticBlock()), "small": (SMALL, SyntheticBlock(pairs_per_cell=80))}
"""Name of a size -> settings and data."""


def bench_contracts(name: str, device: torch.device, *, budget: bool) -> Iterator[Measurement]:
    """Two measurements at one of the `SIZES`: per optimiser step, and per scoring of all splits with all support draws; a
    share over 1 % is a fault where it is a `budget`.

    The hooks are off while the plain way runs, and what they saw once is checked again and again; they themselves keep
    references, and of the sequences of a scoring a few columns.
    """
    settings, synthetic = SIZES[name]
    config = compose(settings, {"optimiser.steps_per_epoch": STEPS}).resolved(gpu=device.type == "cuda")
    model, data = config.model, DataBlock(synthetic=synthetic)
    assert model.enhancer_bp is not None
    assert model.promoter_bp is not None
    with tempfile.TemporaryDirectory() as folder:
        crops = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
        dataset = open_dataset(data, **crops, cache=Path(folder) / "data", progress=False)
        fold = make_folds(dataset, data)[0]
        unit = UnitRun(config, dataset, fold, 0, RunWriter(Path(folder) / "run"), device=device.type)
        contracts = Contracts(unit.subject)
        batches = list(unit.sampler.epoch(1))
        witness = contracts.witness

        def step(batch: EpisodeBatch) -> None:
            unit.trainer.step(batch, progress=0.0, probe=False)

        def steps() -> None:
            for batch in batches:
                step(batch)

        seen = []
        for batch in batches:
            witness.clear(training=True)
            step(batch)
            seen.append(seen_by(witness))
        witness.clear()

        def score() -> Any:
            pairs, draws = unit.evaluation.pairs, config.support.draws
            return score_splits(unit.trainer, unit.predictor, pairs, tuple(pairs), draws=draws, epoch=1)[0]

        clean = contracts.state()
        scores = score()
        of_scores = seen_by(witness)
        witness.close()

        def check_steps() -> None:
            for number in range(REPEATS):
                contracts.resume(clean)  # these batches have not been seen before
                for batch, again in zip(batches, seen, strict=True):
                    contracts.before(batch, 2 + number)
                    again()
                    contracts.after()

        def check_scores() -> None:
            for _ in range(REPEATS):
                of_scores()
                contracts.scored(scores, 1)

        works = {"step": (steps, check_steps, STEPS), "scoring": (score, check_scores, 1)}
        for what, (plain, fast, count) in works.items():
            times = alternate(plain, fast, plain_rounds=ROUNDS, fast_rounds=ROUNDS, device=device)
            name_of_work = f"contracts, {what} at {name} sizes"
            yield _measurement(name_of_work, *times, count, contracts, budget=budget)


def seen_by(witness: Witness) -> Callable[[], None]:
    """A function that shows the witness again what it has just seen."""
    arrivals, encodings, step = list(witness.arrivals), list(witness.encodings), witness.step

    def again() -> None:
        witness.arrivals, witness.encodings, witness.step = arrivals, encodings, step

    return again


def _measurement(
    name: str, plain: Time, fast: Time, count: int, contracts: Contracts, *, budget: bool
) -> Measurement:
    each = fast.times(1.0 / (REPEATS * count))
    share = f"{each.wall / (plain.wall / count):.2%}"
    return Measurement(
        name,
        plain.times(1.0 / count),
        each,
        REQUIRED,
        (ROUNDS, ROUNDS),
        differences={"promises broken": float(len(contracts.broken))},
        limits={"promises broken": 0.0},
        notes={"share of the time": share, "microseconds": each.wall * 1e6},
        budget=budget,
    )
