"""One unit of a sweep in one process: the harness's against the port's, part by part, and that both compute the same."""

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from harness.audit.scene import drawn_in_double
from harness.bench.grid import SweepSize, content, opened
from harness.bench.measurement import Measurement, Time, timed
from harness.bench.port import PortUnit, Row
from harness.bench.rungs import RUNGS
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose
from harness.config.sweep.sweep import load_sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.store.writer import RunWriter
from harness.sweep.search.left import unplanned
from harness.trial.garbage import settle
from harness.trial.unit_run import UnitRun

CPU = torch.device("cpu")
KEYS = ["epoch", "selection", "split", "cell_line", "score", "prevalence_mode", "protocol"]
"""What a row of `cells` of a unit is told by."""
SMOOTH, RANKED = ("nll", "brier", "logit_sd"), ("aupr", "auc")
"""Metrics that follow the logits, and those that jump where two pairs change places."""
EXACT = "float64 nll, Brier score and spread of logits"
ALONE = "rows that one way lacks"
LIMITS = {EXACT: 1e-6, ALONE: 0.0}
SHORT = {"optimiser.epochs": 2, "optimiser.steps_per_epoch": 4, "evaluation.train_subset": 16}
"""Of the comparison in float64. In float32 a tie that rounding decides moves a parameter by a whole step of AdamW, and
trainings drift apart: their metrics are given beside, without a limit."""


def bench_unit(size: SweepSize, name: str) -> Measurement:
    """Processor time of a unit of the port, with one part after the other as the harness has it, down to the harness's own
    unit (its distinct parts: each pair's sequence side once, records, live rules); on one thread, as every trial has."""
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as place:
        folder = Path(place)
        yaml = folder / "one.yaml"
        yaml.write_text(json.dumps(content(size, 1)))
        sweep = load_sweep(yaml)
        dataset = opened(sweep, folder / "cache")
        config, _ = next(iter(unplanned(sweep, (), gpu=False) or ()))
        fold, objective = make_folds(dataset, sweep.config.data)[0], str(sweep.config.objective)
        of = (dataset, fold, objective, folder)
        times: dict[str, Time] = {}
        rows: dict[str, list[Row]] = {}

        def kept(name: str, run: Callable[[], list[Row]]) -> None:
            rows[name] = run()

        with one_thread():
            for rung, cls in RUNGS.items():
                times[rung] = timed(partial(kept, rung, partial(_port, cls, config, *of)), CPU)
            times["the rest"] = timed(partial(kept, "the rest", partial(_harness, config, *of)), CPU)
            short = compose(config.canonical(), SHORT).resolved(gpu=False)
            with drawn_in_double():
                exact = apart(_harness(short, *of), _port(PortUnit, short, *of))
        rounded = apart(rows["the rest"], rows["plain"])
    return Measurement(
        name=f"unit of a sweep, {name}",
        plain=times["plain"],
        fast=times["the rest"],
        required=None,
        differences={
            EXACT: exact["smooth"],
            "float64 ranked metrics, in which a tie may fall either way": exact["ranked"],
            ALONE: exact["alone"],
            "float32 metrics, mean": rounded["mean"],
        },
        limits=LIMITS,
        notes={
            "processor s": ", ".join(f"{part} {time.cpu:.2f}" for part, time in times.items()),
            "gains": gains({part: time.cpu for part, time in times.items()}),
            "of": f"{size.epochs} epochs, audit off, one thread",
            "load": os.getloadavg()[0],
            "plain way": "a unit of harness.bench.port",
        },
    )


def _port(
    cls: type[PortUnit],
    config: ConfigurationBlock,
    dataset: EncodedDataset,
    fold: Fold,
    objective: str,
    folder: Path,
) -> list[Row]:
    return cls(config, dataset, fold, 0, objective).run(lambda report: None)


def _harness(
    config: ConfigurationBlock, dataset: EncodedDataset, fold: Fold, objective: str, folder: Path
) -> list[Row]:
    unit = UnitRun(config, dataset, fold, 0, RunWriter(folder / "run"), objective=objective)
    while not unit.finished:
        unit.advance()
    return unit.rows("cells")


def apart(cells: list[Row], other: list[Row]) -> dict[str, float]:
    """Largest differences of the smooth and of the ranked metrics, the largest mean one, and rows of one way alone."""
    both = pd.DataFrame(cells).merge(
        pd.DataFrame(other), on=KEYS, suffixes=("", "_port"), how="outer", indicator=True
    )
    differences = pd.DataFrame(
        {name: (both[name] - both[f"{name}_port"]).abs() for name in (*SMOOTH, *RANKED)}
    )
    return {
        "smooth": float(differences[[*SMOOTH]].max().max()),
        "ranked": float(differences[[*RANKED]].max().max()),
        "mean": float(differences.mean().max()),
        "alone": float((both["_merge"] != "both").sum()),
    }


def gains(parts: Mapping[str, float]) -> str:
    """What each part gains beside those before it."""
    return ", ".join(
        f"{after} {parts[before] / parts[after]:.2f} x" for before, after in itertools.pairwise(parts)
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread, and what is loaded out of the garbage collection, as in a worker."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    settle()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
