"""A trial of documented size, from a few of its steps and scored pairs: by the port and by the harness."""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from harness.bench.measurement import Measurement, Time, middle, relative_norm, timed
from harness.bench.port import PortTrainer
from harness.bench.sizes import BenchSize
from harness.bench.unit import CPU, one_thread
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds, split
from harness.data.store import open_dataset
from harness.trial.episodes.batches import encode_pairs
from harness.trial.episodes.sampler import EpisodeBatch, build_sampler
from harness.trial.step.trainer import Trainer

REQUIRED = 10.0
LIMIT = 1e-4
"""Of U_I by both ways, by norm in float32."""
TRAINED, TESTED, SUBSET, EPOCHS, SELECTIONS = 145_534, 250_000, 1024, 10, 2
"""Documented pairs, training pairs scored each epoch, epochs, and weights that the test pairs are scored with."""
LINES = 4
"""Cell lines of a step."""
FEW = {"episode.query": 4, "support.size": 2}
"""Episodes that the plain way can train on in a minute; support and query are 1 to 2 as in the whole ones."""
ROUNDS = 2


class Costs(NamedTuple):
    """Of one query pair in a training step, with its share of support pairs, and of one pair that is scored."""

    step: Time
    scoring: Time


def bench_documented(size: BenchSize) -> Measurement:
    """A trial of rp24 at `size` on the documented numbers of pairs, extrapolated: 10 epochs, each of which trains on every
    pair once and scores a fixed subset, and test pairs scored at the end. Validation pairs are left out of both.

    The plain way is `harness.bench.port`, in which each of 5 support draws asks for U_I anew; a step and a scoring of a few
    pairs are measured, since its cost is that of the pairs. The harness is measured on whole batches.
    """
    whole = {"episode.query": max(4, size.batch // LINES), "support.size": max(2, size.batch // LINES // 2)}
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place, one_thread():
        config, small = _config(size, whole), _config(size, FEW)
        pairs = max(40, 4 * size.batch)
        data = DataBlock(
            synthetic=SyntheticBlock(
                cell_lines=8,
                pairs_per_cell=pairs,
                chromosomes=4,
                enhancer_bp=size.enhancer_bp,
                promoter_bp=size.promoter_bp,
            )
        )
        crops = {"enhancer_bp": size.enhancer_bp, "promoter_bp": size.promoter_bp}
        dataset = open_dataset(data, **crops, cache=Path(place), progress=False)
        train = split(dataset, make_folds(dataset, data)[0]).train
        codes = np.unique(dataset.cell[train])
        few = train[: FEW["episode.query"]]
        port = PortTrainer(small, dataset, codes, 0)
        harness = Trainer(config, dataset, codes, 0, CPU)
        with torch.no_grad():
            expected = port.sequence_side(few).u
        measured = encode_pairs(harness.model, dataset, few, CPU, len(few)).u
        plain = Costs(_step(port, small, train, codes, 1), _scored_by_port(port, few))
        fast = Costs(
            _step(harness, config, train, codes, ROUNDS), _scored(harness, dataset, train[: size.batch])
        )
    draws = config.support.draws
    return Measurement(
        name="trial of documented size, extrapolated",
        plain=_trial(plain, scorings=draws),
        fast=_trial(fast, scorings=1),
        required=REQUIRED,
        rounds=(1, ROUNDS),
        differences={"U_I, norm": relative_norm([measured], [expected])},
        limits={"U_I, norm": LIMIT},
        notes={
            "sequences": f"{size.enhancer_bp} + {size.promoter_bp} bp",
            "model": f"rp24, e = {size.embedding}, kernel {size.kernel}, d = {size.width}",
            "processor ms of a trained pair": f"{1e3 * plain.step.cpu:.0f} and {1e3 * fast.step.cpu:.0f}",
            "of a scored pair": f"{1e3 * plain.scoring.cpu:.0f} and {1e3 * fast.scoring.cpu:.0f}",
            "gains": f"training {plain.step.cpu / fast.step.cpu:.1f} x, scoring once "
            f"{plain.scoring.cpu / fast.scoring.cpu:.1f} x, and {draws} support draws of one scoring",
            "pairs": f"{TRAINED} trained in each of {EPOCHS} epochs, {TESTED} tested",
            "measured on": f"steps of {LINES * FEW['episode.query']} and {size.batch} pairs, one thread",
            "load": os.getloadavg()[0],
        },
    )


def _config(size: BenchSize, episode: dict[str, int]) -> ConfigurationBlock:
    changes = {
        "model.embedding": size.embedding,
        "model.kernel": size.kernel,
        "model.width": size.width,
        "model.enhancer_bp": size.enhancer_bp,
        "model.promoter_bp": size.promoter_bp,
        "episode.per_step": LINES,
        "optimiser.steps_per_epoch": ROUNDS + 1,
        "audit": "off",
    }
    return compose(load_preset("rp24"), {**changes, **episode}).resolved(gpu=False)


def _step(
    trainer: Trainer, config: ConfigurationBlock, train: np.ndarray, codes: np.ndarray, rounds: int
) -> Time:
    """Of one query pair, with all schedules over; the first step is not counted where there are several."""
    pools = [train[trainer.dataset.cell[train] == code] for code in codes]
    sampler = build_sampler(config, pools, [trainer.dataset.cell_lines[code] for code in codes], 0)
    batches: list[EpisodeBatch] = list(sampler.epoch(1))[: rounds + (rounds > 1)]
    times = [
        timed(partial(trainer.step, batch, progress=float(EPOCHS), probe=False), CPU) for batch in batches
    ]
    return middle(times[-rounds:]).times(1 / batches[0].query.size)


def _scored_by_port(port: PortTrainer, pairs: np.ndarray) -> Time:
    with torch.no_grad():
        return timed(lambda: port.sequence_side(pairs), CPU).times(1 / len(pairs))


def _scored(trainer: Trainer, dataset: EncodedDataset, pairs: np.ndarray) -> Time:
    return timed(lambda: encode_pairs(trainer.model, dataset, pairs, CPU, len(pairs)), CPU).times(
        1 / len(pairs)
    )


def _trial(costs: Costs, *, scorings: int) -> Time:
    """Of a whole trial of one seed; `scorings`: sequence passes per pair at the end."""
    scored = EPOCHS * SUBSET + SELECTIONS * TESTED * scorings
    training, scoring = costs.step.times(EPOCHS * TRAINED), costs.scoring.times(scored)
    return Time(training.wall + scoring.wall, training.cpu + scoring.cpu)
