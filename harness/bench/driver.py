"""What the driver itself costs per configuration as a sweep grows: everything but training and Ray."""

import tempfile
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path

import torch
from rich.console import Console

from harness.bench.measurement import Measurement, timed
from harness.config.blocks.sweep import SamplerBlock
from harness.config.space.compose import SEARCH_SPACES
from harness.config.sweep.sweep import load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan
from harness.sweep.search.curves import Curves
from harness.sweep.search.proposer import Proposer
from harness.sweep.search.study import Study
from harness.sweep.show.board import Board
from harness.sweep.show.display import Display

EPOCHS = 5
FOLD = Fold("fold0", ("a",), ("b",), ("chr1",))
WINDOW = 10
"""Configurations over which time is taken, at the beginning and at the end."""


def bench_driver(trials: int, sampler: str) -> Measurement:
    """Time per configuration when `trials` are there already, and, as the plain way, with a plan that is written whole
    for each of them; `notes` has the time per configuration at the beginning and how much it grew.

    The study's sampler is part of it: TPE weighs all earlier configurations, random ones cost the same for ever.
    """
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder:
        proposer, display = _driver(Path(folder), trials + 3 * WINDOW, sampler)
        run = partial(_configurations, proposer, display)
        run(WINDOW)
        begin = timed(lambda: run(WINDOW), cpu).times(1 / WINDOW)
        run(max(0, trials - 3 * WINDOW))
        end = timed(lambda: run(WINDOW), cpu).times(1 / WINDOW)

        def whole() -> None:
            run(WINDOW, lambda: proposer.plan.save(proposer.run))

        plain = timed(whole, cpu).times(1 / WINDOW)
    return Measurement(
        name=f"driver time per configuration, {trials} of them, sampler {sampler}",
        plain=plain,
        fast=end,
        required=None,
        notes={
            "ms at the beginning": begin.wall * 1000,
            "ms at the end": end.wall * 1000,
            "grown": f"{end.wall / begin.wall:.2f} x on the clock, {end.cpu / begin.cpu:.2f} x processor time",
            "plain way": "plan.json written whole for every configuration",
        },
    )


def _driver(folder: Path, trials: int, sampler: str) -> tuple[Proposer, Display]:
    sweep = load_sweep(SEARCH_SPACES / "rp24.yaml", overrides=[f"trials={trials}"])
    plan = Plan.of(sweep, folds=[FOLD], data="0" * 64)
    plan.save(folder)
    study = Study(
        folder / "study.log",
        name="bench",
        direction="maximize",
        sampler=SamplerBlock.model_validate({"kind": sampler}),
        space=sweep.space,
    )
    board = Board(total=trials, larger_is_better=True, folds={FOLD.id: FOLD.name})
    proposer = Proposer(
        sweep,
        plan,
        study,
        board,
        run=folder,
        pending={},
        reached={},
        curves=Curves({}),
        new=trials,
        gpu=False,
        view=lambda config: folder,
        phase1=lambda config: None,
        give_up=lambda units: None,
        ended=lambda units: None,
    )
    return proposer, Display(Console(file=StringIO(), markup=False), board, sweep.config.objective)


def _configurations(
    proposer: Proposer, display: Display, count: int, proposed: Callable[[], object] = lambda: None
) -> None:
    """Propose `count` configurations and let each report its epochs and end."""
    for _ in range(count):
        proposal = proposer.suggest("one")
        assert isinstance(proposal, dict)
        proposed()
        value = int(proposal["configuration"], 16) % 997 / 997
        for epoch in range(1, EPOCHS + 1):
            report = {
                "configuration": proposal["configuration"],
                "fold": proposal["fold"],
                "epoch": epoch,
                "objective": value * epoch / EPOCHS,
                "status": "done" if epoch == EPOCHS else "running",
                "ended": [],
                "diverged": 0,
                "reason": "",
                "metrics": {"train_aupr": value},
                "warned": [],
                "seconds": 1.0,
            }
            proposer.on_trial_result("one", report)
            row = display.board.update(report)
            display.epoch(row)
        display.ended(row, proposal["fold"])
        proposer.on_trial_complete("one", report)
